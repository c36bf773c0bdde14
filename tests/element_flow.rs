//! What becomes of data in `h5liveauthsink`: good, bad, shifted, flushed and ended.
//! Not covered: pads and caps (element_pads.rs), the doors (element_doors.rs), and whether what comes
//! out decodes (element_playback.rs): the access units here are stand-ins.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, FRAME, picture, picture_of, sound, timed};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_check::Harness;

const TAKEN: Result<gst::FlowSuccess, gst::FlowError> = Ok(gst::FlowSuccess::Ok);
const SECOND: u64 = 1_000_000_000;

/// Pushes a second of video, a keyframe first.
fn second(pad: &mut Harness, from: u64) {
    for n in 0..30 {
        assert_eq!(pad.push(picture(from + n * FRAME, n == 0)), TAKEN);
    }
}

/// A keyframe with times in nanoseconds.
fn keyframe(pts: u64, dts: u64) -> gst::Buffer {
    let mut buffer = picture(0, true);
    let inner = buffer.get_mut().unwrap();
    inner.set_pts(gst::ClockTime::from_nseconds(pts));
    inner.set_dts(gst::ClockTime::from_nseconds(dts));
    buffer
}

#[test]
fn bad_buffers_are_left_out_and_what_follows_plays() {
    type Row = (&'static str, fn() -> gst::Buffer);
    let rows: [Row; 13] = [
        ("a length past the end", || {
            timed(vec![0, 0, 1, 0, 0x65, 1], Some(0))
        }),
        ("half a length", || timed(vec![0, 0], Some(0))),
        ("no bytes", || timed(vec![], Some(0))),
        ("no memory", gst::Buffer::new),
        ("17 MiB", || picture_of(0, true, 17 << 20)),
        ("no time", || timed(vec![0, 0, 0, 1, 0x65], None)),
        ("2^64 - 2", || keyframe(u64::MAX - 1, u64::MAX - 1)),
        ("around the wrap", || keyframe(3, u64::MAX - 1)),
        ("2^63", || keyframe(1 << 63, 1 << 63)),
        ("a year from now", || {
            keyframe(31_536_000 * SECOND, 31_536_000 * SECOND)
        }),
        ("two hundred years from now", || {
            keyframe(6_311_390_400 * SECOND, 6_311_390_400 * SECOND)
        }),
        ("shown an hour after it is decoded", || {
            keyframe(3600 * SECOND, 0)
        }),
        ("shown an hour before it is decoded", || {
            keyframe(0, 3600 * SECOND)
        }),
    ];
    for (name, make) in rows {
        for first in [true, false] {
            let bench = Bench::new();
            let mut pad = bench.video();
            if !first {
                second(&mut pad, 0);
            }
            assert_eq!(pad.push(make()), TAKEN, "{name}, first: {first}");
            let before = bench.stat("fragments");
            second(&mut pad, 1000);
            second(&mut pad, 2000);
            let after = bench.stat("fragments");
            assert!(after >= before + 30, "{name}, first: {first}");
            assert!(bench.silent(gst::MessageType::Error), "{name}");
        }
    }
}

#[test]
fn bad_audio_is_left_out_too() {
    let bench = Bench::new();
    let mut pad = bench.audio();
    let rows = [
        timed(vec![], Some(0)),
        timed(vec![0x21; 32], None),
        timed(vec![0x21; 32], Some(u64::MAX - 1)),
        timed(vec![0x21; 17 << 20], Some(0)),
    ];
    for buffer in rows {
        assert_eq!(pad.push(buffer), TAKEN);
    }
    assert_eq!(bench.stat("refused-frames"), 4);
    for n in 0..40 {
        assert_eq!(pad.push(sound(n * 21)), TAKEN);
    }
    assert!(bench.stat("fragments") >= 9);
}

#[test]
fn a_source_without_timestamps_is_warned_of_once() {
    let bench = Bench::new();
    let mut pad = bench.video();
    for _ in 0..3 {
        assert_eq!(pad.push(timed(vec![0, 0, 0, 1, 0x65], None)), TAKEN);
    }
    let warning = bench.told(gst::MessageType::Warning);
    assert!(warning.contains("do-timestamp"), "{warning}");
    assert!(bench.silent(gst::MessageType::Warning));
    assert_eq!(bench.stat("refused-frames"), 3);
}

#[test]
fn nothing_is_published_before_a_keyframe() {
    let bench = Bench::new();
    let mut pad = bench.video();
    for n in 0..60 {
        assert_eq!(pad.push(picture(n * FRAME, false)), TAKEN);
    }
    assert_eq!(bench.stat("fragments") + bench.stat("init-segments"), 0);
    second(&mut pad, 2000);
    assert_eq!(bench.stat("fragments"), 30);
}

#[test]
fn data_before_caps_is_not_negotiated() {
    let bench = Bench::new();
    let mut pad = bench.bare_video();
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(pad.push_event(gst::event::Segment::new(&segment)));
    let flow = pad.push(picture(0, true));
    assert_eq!(flow, Err(gst::FlowError::NotNegotiated));
}

#[test]
fn the_end_is_told_when_both_pads_have_reached_it() {
    let bench = Bench::new();
    let (mut video, mut audio) = (bench.video(), bench.audio());
    let mut viewer = bench.viewer();
    second(&mut video, 0);
    viewer.until("moof");

    assert!(video.push_event(gst::event::Eos::new()));
    assert!(bench.silent(gst::MessageType::Eos), "the sound goes on");
    let fragments = bench.stat("fragments");
    for n in 0..100 {
        assert_eq!(audio.push(sound(1000 + n * 21)), TAKEN);
    }
    assert!(bench.stat("fragments") > fragments, "the sound goes on");

    assert!(audio.push_event(gst::event::Eos::new()));
    bench.told(gst::MessageType::Eos);
    assert!(bench.silent(gst::MessageType::Eos), "once");
    let told = viewer.payload("onStreamStatus");
    assert_eq!(told["status"], "stopped");

    // A new stream on the same pads starts the same viewers again.
    assert_eq!(video.push(picture(0, true)), Err(gst::FlowError::Eos));
    assert!(video.push_event(gst::event::StreamStart::new("again")));
    second(&mut video, 60_000);
    viewer.until("onStreamInfo");
    viewer.until("moof");
    assert!(video.push_event(gst::event::Eos::new()));
    bench.told(gst::MessageType::Eos);
}

#[test]
fn an_end_before_playing_is_told_when_it_plays() {
    let bench = Bench::new();
    let mut pad = bench.video();
    assert!(bench.set_state(gst::State::Paused));
    assert!(pad.push_event(gst::event::Eos::new()));
    assert!(bench.silent(gst::MessageType::Eos));
    assert!(bench.set_state(gst::State::Playing));
    bench.told(gst::MessageType::Eos);
}

#[test]
fn releasing_the_last_pad_that_is_not_at_its_end_ends_the_stream() {
    let bench = Bench::new();
    let (mut video, _audio) = (bench.video(), bench.audio());
    second(&mut video, 0);
    assert!(video.push_event(gst::event::Eos::new()));
    assert!(bench.silent(gst::MessageType::Eos));
    let pad = bench.element.static_pad("audio").unwrap();
    bench.element.release_request_pad(&pad);
    bench.told(gst::MessageType::Eos);
}

#[test]
fn a_flush_begins_the_stream_anew() {
    let bench = Bench::new();
    let mut pad = bench.video();
    second(&mut pad, 5000);
    let mut viewer = bench.viewer();
    viewer.until("moof");

    assert!(pad.push_event(gst::event::FlushStart::new()));
    assert_eq!(pad.push(picture(6000, true)), Err(gst::FlowError::Flushing));
    assert!(pad.push_event(gst::event::FlushStop::new(true)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(pad.push_event(gst::event::Segment::new(&segment)));
    // Nothing refers to what was flushed away.
    assert_eq!(pad.push(picture(0, false)), TAKEN);
    second(&mut pad, 100);
    viewer.until("onStreamInfo");
    assert_eq!(viewer.next(), "init");
    let point = viewer.payload("onRandomAccessPoint");
    assert_eq!(point["streamTime"], 10_100);
    assert_eq!(bench.stat("init-segments"), 2);
}

#[test]
fn a_flush_takes_back_an_end() {
    let bench = Bench::new();
    let mut pad = bench.video();
    assert!(pad.push_event(gst::event::Eos::new()));
    bench.told(gst::MessageType::Eos);
    assert!(pad.push_event(gst::event::FlushStart::new()));
    assert!(pad.push_event(gst::event::FlushStop::new(true)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(pad.push_event(gst::event::Segment::new(&segment)));
    second(&mut pad, 0);
    assert_eq!(bench.stat("fragments"), 30);
    assert!(pad.push_event(gst::event::Eos::new()));
    bench.told(gst::MessageType::Eos);
}

#[test]
fn times_are_the_segments_running_time() {
    let bench = Bench::new();
    let mut pad = bench.video();
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    // As x264enc's: 1000 hours stand for the start, two seconds of which have played before.
    segment.set_start(gst::ClockTime::from_seconds(3_600_000));
    segment.set_time(gst::ClockTime::from_seconds(7));
    segment.set_base(gst::ClockTime::from_seconds(2));
    assert!(pad.push_event(gst::event::Segment::new(&segment)));
    let mut viewer = bench.viewer();
    second(&mut pad, 3_600_000_500);
    let point = viewer.payload("onRandomAccessPoint");
    // The muxer's clock stands at 10 s when running time is 0.
    assert_eq!(point["streamTime"], 12_500);
    let position = bench.element.query_position::<gst::ClockTime>().unwrap();
    assert_eq!(position.mseconds(), 7500 + 29 * FRAME, "in stream time");
}

#[test]
fn a_gap_in_the_sound_holds_no_picture_up() {
    let bench = Bench::new();
    let (mut video, mut audio) = (bench.video(), bench.audio());
    second(&mut video, 0);
    for n in 0..40 {
        assert_eq!(audio.push(sound(n * 21)), TAKEN);
    }
    let from = gst::ClockTime::from_seconds(1);
    let gap = gst::event::Gap::builder(from).duration(2 * from).build();
    assert!(audio.push_event(gap));
    let before = bench.stat("fragments");
    second(&mut video, 1000);
    second(&mut video, 2000);
    assert_eq!(bench.stat("fragments"), before + 60);
    assert_eq!(audio.push(sound(3000)), TAKEN);
    second(&mut video, 3000);
    assert_eq!(bench.stat("fragments"), before + 91);
    assert!(bench.silent(gst::MessageType::Warning));
}

#[test]
fn segments_that_can_not_be_played_are_errors_that_say_so() {
    let bytes = gst::FormattedSegment::<gst::format::Bytes>::new();
    let mut backwards = gst::FormattedSegment::<gst::ClockTime>::new();
    backwards.set_rate(-1.0);
    for (segment, said) in [
        (bytes.upcast(), "not in time"),
        (backwards.upcast(), "play forwards"),
    ] {
        let bench = Bench::new();
        let mut pad = bench.video();
        pad.push_event(gst::event::Segment::new(&segment));
        let error = bench.error();
        assert!(error.contains(said), "{error}");
    }
}
