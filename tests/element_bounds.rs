//! The element's bounds on memory, `client-backlog` and `gop-cache`, by what a client gets and what it misses.
//! Not covered: what else its properties do (element_control.rs), the bounds themselves (src/hub/tests.rs).
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;

use std::ops::Range;

use bench::{Bench, FRAME, Viewer, picture_of};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_check::Harness;

const MEBIBYTE: u32 = 1 << 20;
const PICTURE: usize = 64 << 10;

fn push(pad: &mut Harness, pictures: Range<u64>, gop: u64) {
    for n in pictures {
        let picture = picture_of(n * FRAME, n % gop == 0, PICTURE);
        pad.push(picture).unwrap();
    }
}

/// A viewer that has its place in the stream: it is greeted after that.
fn joined(bench: &Bench) -> Viewer {
    let mut viewer = bench.viewer();
    viewer.until("onServerInfo");
    viewer
}

/// Reads to the stream's end, and counts fragments.
fn fragments(mut viewer: Viewer) -> usize {
    let mut got = 0;
    loop {
        match viewer.next().as_str() {
            "moof" => got += 1,
            "onStreamStatus" => return got,
            _ => {}
        }
    }
}

#[test]
fn a_client_misses_pictures_only_where_it_is_behind_more_than_it_may() {
    let late_reader = |backlog: u32| {
        let bench = Bench::new();
        bench.element.set_property("gop-cache", 64 * MEBIBYTE);
        bench.element.set_property("client-backlog", backlog);
        let mut pad = bench.video();
        push(&mut pad, 0..1, 8);
        let viewer = joined(&bench);
        // More than the kernel holds of a connection, and than a GOP.
        push(&mut pad, 1..512, 8);
        assert!(pad.push_event(gst::event::Eos::new()));
        fragments(viewer)
    };
    assert_eq!(late_reader(64 * MEBIBYTE), 512);
    let got = late_reader(1);
    assert!((8..512).contains(&got), "{got}");
}

#[test]
fn a_client_joins_a_gop_only_where_it_is_held() {
    let joins = |cache: u32| {
        let bench = Bench::new();
        bench.element.set_property("gop-cache", cache);
        bench.element.set_property("client-backlog", 64 * MEBIBYTE);
        let mut pad = bench.video();
        push(&mut pad, 0..40, 40);
        let mut viewer = joined(&bench);
        push(&mut pad, 40..45, 40);
        // Whoever has seen nothing of a stream is not told of its end.
        viewer.until("moof");
        assert!(pad.push_event(gst::event::Eos::new()));
        1 + fragments(viewer)
    };
    assert_eq!(joins(4 * MEBIBYTE), 45);
    assert_eq!(joins(MEBIBYTE), 5, "it waits for the next keyframe");
}
