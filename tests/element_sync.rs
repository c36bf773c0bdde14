//! `h5liveauthsink` with `sync=true`: buffers are published at their time by the clock, which here is one
//! that the test sets. Nothing that ends a wait is held up by it.
//! Not covered: what is published without `sync` (element_flow.rs).
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/process.rs"]
#[allow(dead_code)]
mod process;

use std::thread::JoinHandle;

use bench::{Bench, picture, sound};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_check::{Harness, TestClock};
use process::wait_until;

type Pushed = Result<gst::FlowSuccess, gst::FlowError>;

const TAKEN: Pushed = Ok(gst::FlowSuccess::Ok);
const FLUSHED: Pushed = Err(gst::FlowError::Flushing);
const MILLISECOND: u64 = 1_000_000;

/// An element that plays by a clock of the test's, which stands at zero.
struct Clocked {
    bench: Bench,
    clock: TestClock,
}

impl Clocked {
    fn new() -> (Self, Harness) {
        let bench = Bench::new();
        let pad = bench.video();
        let clock = TestClock::new();
        // After the harness, which turns it off and has a clock of its own.
        bench.element.set_property("sync", true);
        bench.element.set_clock(Some(&clock)).unwrap();
        bench.element.set_base_time(gst::ClockTime::ZERO);
        (Self { bench, clock }, pad)
    }

    /// Waits until so many pads wait for the clock.
    fn waiting(&self, pads: u32) {
        wait_until("pads to wait for the clock", || {
            (self.clock.peek_id_count() == pads).then_some(())
        });
    }

    /// Waits until what comes next on the clock is due at that millisecond.
    fn due(&self, milliseconds: u64) {
        let time = gst::ClockTime::from_mseconds(milliseconds);
        wait_until("a wait until then", || {
            (self.clock.next_entry_time() == Some(time)).then_some(())
        });
    }

    /// Lets go on what waits for a time that is over: this clock wants to be told.
    fn late(&self) {
        self.waiting(1);
        assert!(self.clock.process_next_clock_id().is_some());
    }

    fn pad(&self) -> gst::Pad {
        self.bench.element.static_pad("video").unwrap()
    }
}

/// Pushes on a thread of its own, and gives the pad back.
fn push(mut pad: Harness, buffer: gst::Buffer) -> JoinHandle<(Harness, Pushed)> {
    std::thread::spawn(move || {
        let pushed = pad.push(buffer);
        (pad, pushed)
    })
}

fn qos(pad: &mut Harness) -> Vec<(gst::ClockTimeDiff, Option<gst::ClockTime>)> {
    let mut told = Vec::new();
    while let Some(event) = pad.try_pull_upstream_event() {
        if let gst::EventView::Qos(event) = event.view() {
            let (kind, _, late, time) = event.get();
            assert_eq!(kind, gst::QOSType::Underflow);
            told.push((late, time));
        }
    }
    told
}

#[test]
fn a_buffer_waits_for_its_time_the_latency_and_the_offset() {
    let (clocked, pad) = Clocked::new();
    let element = &clocked.bench.element;
    element.set_base_time(gst::ClockTime::from_mseconds(1000));
    let pushing = push(pad, picture(100, true));
    clocked.due(1100);
    let latency = gst::event::Latency::new(gst::ClockTime::from_mseconds(50));
    element.send_event(latency);
    clocked.due(1150);
    element.set_property("ts-offset", 20 * MILLISECOND as i64);
    clocked.due(1170);
    element.set_property("ts-offset", -(30 * MILLISECOND as i64));
    clocked.due(1120);
    assert_eq!(clocked.bench.stat("video-frames"), 0);
    clocked.clock.set_time(gst::ClockTime::from_mseconds(1119));
    clocked.waiting(1);
    assert_eq!(clocked.bench.stat("video-frames"), 0);
    clocked.clock.crank();
    let (pad, pushed) = pushing.join().unwrap();
    assert_eq!(pushed, TAKEN);
    assert_eq!(clocked.bench.stat("video-frames"), 1);

    // What is decoded first is published first, whenever it is shown.
    let mut reordered = picture(133, false);
    let pts = gst::ClockTime::from_mseconds(200);
    reordered.get_mut().unwrap().set_pts(pts);
    let pushing = push(pad, reordered);
    clocked.due(1153);
    clocked.clock.crank();
    assert_eq!(pushing.join().unwrap().1, TAKEN);
}

#[test]
fn each_pad_waits_by_itself_and_an_end_until_all_is_over() {
    let (clocked, video) = Clocked::new();
    let audio = clocked.bench.audio();
    let element = &clocked.bench.element;
    element.set_property("sync", true);
    element.set_clock(Some(&clocked.clock)).unwrap();
    element.set_base_time(gst::ClockTime::ZERO);
    let mut long = picture(40, true);
    let lasts = gst::ClockTime::from_mseconds(60);
    long.get_mut().unwrap().set_duration(lasts);
    let pushing = [push(video, long), push(audio, sound(20))];
    clocked.waiting(2);
    clocked.due(20);
    clocked.clock.crank();
    clocked.waiting(1);
    clocked.due(40);
    clocked.clock.crank();
    let [mut video, mut audio] = pushing.map(|pushing| {
        let (pad, pushed) = pushing.join().unwrap();
        assert_eq!(pushed, TAKEN);
        pad
    });

    let ending = std::thread::spawn(move || audio.push_event(gst::event::Eos::new()));
    clocked.late();
    assert!(ending.join().unwrap());
    let ending = std::thread::spawn(move || (video.push_event(gst::event::Eos::new()), video));
    clocked.due(100);
    assert!(clocked.bench.silent(gst::MessageType::Eos));
    clocked.clock.crank();
    assert!(ending.join().unwrap().0);
    assert!(!clocked.bench.silent(gst::MessageType::Eos));
}

#[test]
fn whatever_ends_a_wait_ends_it_at_once() {
    type Row = (&'static str, fn(&Clocked));
    let rows: [Row; 5] = [
        ("a flush", |it| {
            assert!(it.pad().send_event(gst::event::FlushStart::new()));
        }),
        ("READY", |it| assert!(it.bench.set_state(gst::State::Ready))),
        ("NULL", |it| assert!(it.bench.set_state(gst::State::Null))),
        ("an inactive pad", |it| it.pad().set_active(false).unwrap()),
        ("a released pad", |it| {
            it.bench.element.release_request_pad(&it.pad());
        }),
    ];
    for (name, end) in rows {
        for state in [gst::State::Playing, gst::State::Paused] {
            let (clocked, pad) = Clocked::new();
            let pushing = push(pad, picture(100, true));
            clocked.waiting(1);
            assert!(clocked.bench.set_state(state));
            end(&clocked);
            assert_eq!(pushing.join().unwrap().1, FLUSHED, "{name} in {state:?}");
            assert_eq!(clocked.clock.peek_id_count(), 0);
        }
    }
}

#[test]
fn after_a_flush_buffers_wait_again() {
    let (clocked, pad) = Clocked::new();
    let pushing = push(pad, picture(100, true));
    clocked.waiting(1);
    clocked.pad().send_event(gst::event::FlushStart::new());
    let (mut pad, pushed) = pushing.join().unwrap();
    assert_eq!(pushed, FLUSHED);
    assert!(pad.push_event(gst::event::FlushStop::new(true)));
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(gst::ClockTime::from_mseconds(200));
    assert!(pad.push_event(gst::event::Segment::new(&segment)));
    let pushing = push(pad, picture(233, true));
    clocked.due(33);
    clocked.clock.crank();
    assert_eq!(pushing.join().unwrap().1, TAKEN);
    assert_eq!(clocked.bench.stat("video-frames"), 1);
}

#[test]
fn while_it_is_paused_it_holds_and_then_goes_on_by_the_new_base_time() {
    let (clocked, pad) = Clocked::new();
    let pushing = push(pad, picture(100, true));
    clocked.due(100);
    assert!(clocked.bench.set_state(gst::State::Paused));
    clocked.waiting(0);
    clocked.clock.set_time(gst::ClockTime::from_mseconds(5000));
    assert!(!pushing.is_finished());
    let base = gst::ClockTime::from_mseconds(5000);
    clocked.bench.element.set_base_time(base);
    assert!(clocked.bench.set_state(gst::State::Playing));
    clocked.due(5100);
    clocked.clock.crank();
    assert_eq!(pushing.join().unwrap().1, TAKEN);
}

#[test]
fn late_buffers_are_published_and_told_of_where_qos_asks_for_it() {
    let (clocked, pad) = Clocked::new();
    clocked.clock.set_time(gst::ClockTime::from_mseconds(1000));
    let published = |pad, buffer| {
        let pushing = push(pad, buffer);
        clocked.late();
        let (mut pad, pushed) = pushing.join().unwrap();
        assert_eq!(pushed, TAKEN);
        let told = qos(&mut pad);
        (pad, told)
    };
    let (pad, told) = published(pad, picture(900, true));
    assert_eq!(told, []);
    clocked.bench.element.set_property("qos", true);
    let (pad, told) = published(pad, picture(933, false));
    let late = 67 * MILLISECOND as gst::ClockTimeDiff;
    let time = gst::ClockTime::from_mseconds(933);
    assert_eq!(told, [(late, Some(time))]);
    let (mut pad, told) = published(pad, picture(1000, false));
    assert_eq!(told, [], "it came in time");
    clocked.bench.element.set_property("sync", false);
    assert_eq!(pad.push(picture(1001, false)), TAKEN);
    assert_eq!(qos(&mut pad), []);
    assert_eq!(clocked.bench.stat("video-frames"), 4);
}

#[test]
fn a_source_that_is_not_live_is_published_as_fast_as_it_plays() {
    let bench = Bench::new();
    bench.element.set_property("sync", true);
    let pipeline = gst::Pipeline::new();
    let source = gst::parse::bin_from_description(
        "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=180,framerate=30/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse",
        true,
    )
    .unwrap();
    pipeline
        .add_many([source.upcast_ref(), &bench.element])
        .unwrap();
    source.link(&bench.element).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends);
    assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
    let played = pipeline.current_running_time().unwrap();
    assert!(played >= gst::ClockTime::from_seconds(1), "{played}");
    assert_eq!(bench.stat("fragments"), 30);
    pipeline.set_state(gst::State::Null).unwrap();
}
