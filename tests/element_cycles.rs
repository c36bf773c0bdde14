//! `h5liveauthsink` in a pipeline that goes from NULL to PLAYING and back a hundred times, with data
//! and a viewer in each: nothing is left behind. Alone in its file, since it counts what the process
//! has open.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/process.rs"]
#[allow(dead_code)]
mod process;

use bench::{Bench, FRAME, picture, quiet_port, refuses, video_caps};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;
use process::wait_until;

const CYCLES: u64 = 100;

fn count(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_hundred_cycles_leave_nothing_behind() {
    let port = quiet_port();
    let bench = Bench::of("ABCDE-demo", port);
    let pipeline = gst::Pipeline::new();
    let source = AppSrc::builder()
        .caps(&video_caps(320, 180))
        .format(gst::Format::Time)
        .is_live(true)
        .build();
    pipeline
        .add_many([source.upcast_ref(), &bench.element])
        .unwrap();
    source.link(&bench.element).unwrap();

    let mut before = None;
    for cycle in 0..CYCLES {
        pipeline.set_state(gst::State::Playing).unwrap();
        assert_eq!(bench.port(), port, "it is free each time");
        let mut viewer = bench.viewer();
        for n in 0..10 {
            source.push_buffer(picture(n * FRAME, n == 0)).unwrap();
        }
        viewer.until("moof");
        wait_until("all pictures of the cycle", || {
            (bench.stat("fragments") == 10).then_some(())
        });
        assert_eq!(bench.stat("init-segments"), 1, "cycle {cycle}");
        // Leaving first, so that no cycle waits for an answer to its goodbye.
        viewer.leave();
        pipeline.set_state(gst::State::Null).unwrap();
        assert!(refuses(port), "cycle {cycle}");
        assert_eq!(bench.port(), 0);
        if cycle == 10 {
            before = Some((count("/proc/self/fd"), count("/proc/self/task")));
        }
    }
    let (files, threads) = before.unwrap();
    // Threads of GStreamer's pools end in their own time.
    wait_until("no more files and threads than after ten cycles", || {
        let (files_now, threads_now) = (count("/proc/self/fd"), count("/proc/self/task"));
        (files_now <= files + 2 && threads_now <= threads + 2).then_some(())
    });
    let bus = pipeline.bus().unwrap();
    assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_none());
}
