//! Any order of buffers, caps, segments, flushes and ends at `h5liveauthsink`'s pads: it never panics,
//! never fails, and plays what is good afterwards.
//! Not covered: refused caps (element_pads.rs), and several threads.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, FRAME, audio_caps, picture, sound, timed, video_caps};
use gstreamer as gst;
use gstreamer_check::Harness;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Buffer(Unit),
    /// The next frames, as a good source sends them.
    Frames(u64, u64),
    Caps(i32),
    Segment {
        start: u64,
        base: u64,
        rate: f64,
    },
    Flush,
    End,
}

#[derive(Clone, Debug)]
struct Unit {
    pts: Option<u64>,
    dts: Option<u64>,
    delta: bool,
    data: Vec<u8>,
}

/// Nanoseconds: plausible ones mostly, and those that sums and differences break on.
fn time() -> impl Strategy<Value = u64> {
    const YEAR: u64 = 31_536_000_000_000_000;
    prop_oneof![
        6 => (0..30_000_u64).prop_map(|ms| ms * 1_000_000),
        1 => (0..30_u64).prop_map(|s| u64::MAX - 1 - s * 1_000_000_000),
        1 => (0..30_u64).prop_map(|s| (1 << 63) - 15_000_000_000 + s * 1_000_000_000),
        1 => (99..102_u64).prop_map(|years| years * YEAR),
        1 => 0..u64::MAX,
    ]
}

fn unit() -> impl Strategy<Value = Unit> {
    let optional = || prop_oneof![1 => Just(None), 8 => time().prop_map(Some)];
    let data = prop_oneof![
        4 => (0..200_u8).prop_map(|n| {
            let mut data = vec![0, 0, 0, n];
            data.resize(4 + usize::from(n), 0x41);
            data
        }),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    (optional(), optional(), any::<bool>(), data).prop_map(|(pts, dts, delta, data)| Unit {
        pts,
        dts,
        delta,
        data,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => unit().prop_map(Step::Buffer),
        4 => (0..30_000_u64, 1..40_u64).prop_map(|(from, count)| Step::Frames(from, count)),
        1 => (1..4_i32).prop_map(|n| Step::Caps(n * 160)),
        1 => (time(), time(), prop_oneof![Just(1.0), Just(2.0), Just(0.5)])
            .prop_map(|(start, base, rate)| Step::Segment { start, base, rate }),
        1 => Just(Step::Flush),
        1 => Just(Step::End),
    ]
}

fn segment(start: u64, base: u64, rate: f64) -> gst::Event {
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_rate(rate);
    segment.set_start(gst::ClockTime::from_nseconds(start));
    segment.set_base(gst::ClockTime::from_nseconds(base));
    gst::event::Segment::new(&segment)
}

fn restart(pad: &mut Harness) {
    pad.push_event(gst::event::FlushStart::new());
    pad.push_event(gst::event::FlushStop::new(true));
    pad.push_event(segment(0, 0, 1.0));
}

fn take(pad: &mut Harness, video: bool, step: &Step) {
    match step {
        Step::Buffer(unit) => {
            let mut buffer = timed(unit.data.clone(), None);
            let inner = buffer.get_mut().unwrap();
            inner.set_pts(unit.pts.map(gst::ClockTime::from_nseconds));
            inner.set_dts(unit.dts.map(gst::ClockTime::from_nseconds));
            if unit.delta {
                inner.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
            let _ = pad.push(buffer);
        }
        Step::Frames(from, count) => {
            for n in 0..*count {
                let _ = pad.push(picture(from + n * FRAME, n == 0));
            }
        }
        Step::Caps(width) if video => pad.set_src_caps(video_caps(*width, 96)),
        Step::Caps(_) => pad.set_src_caps(audio_caps()),
        Step::Segment { start, base, rate } => {
            pad.push_event(segment(*start, *base, *rate));
        }
        Step::Flush => restart(pad),
        Step::End => {
            pad.push_event(gst::event::Eos::new());
            pad.push_event(gst::event::StreamStart::new("next"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn it_survives_any_input(
        with_video: bool,
        steps in prop::collection::vec((any::<bool>(), step()), 1..60),
    ) {
        let bench = Bench::new();
        let mut video = with_video.then(|| bench.video());
        let mut audio = bench.audio();
        for (of_video, step) in &steps {
            match video.as_mut().filter(|_| *of_video) {
                Some(video) => take(video, true, step),
                None => take(&mut audio, false, step),
            }
        }
        restart(&mut audio);
        let before = bench.stat("fragments");
        if let Some(mut video) = video {
            restart(&mut video);
            video.set_src_caps(video_caps(320, 180));
            for n in 0..60 {
                let flow = video.push(picture(n * FRAME, n % 30 == 0));
                prop_assert_eq!(flow, Ok(gst::FlowSuccess::Ok));
            }
            prop_assert!(bench.stat("fragments") >= before + 60);
        } else {
            for n in 0..60 {
                let flow = audio.push(sound(n * 21));
                prop_assert_eq!(flow, Ok(gst::FlowSuccess::Ok));
            }
            prop_assert!(bench.stat("fragments") >= before + 14);
        }
        // A panic would have become one.
        prop_assert!(bench.silent(gst::MessageType::Error));
    }
}
