//! Streams pulled from a real RTMP origin, as viewers in the hub see them: who starts and ends a
//! pull, what comes after a stream, a publisher or the origin was missing.
//! Not covered: whether each frame arrives (`origin_frames`), sockets, TLS to the origin, other
//! origins than nginx.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/pulling.rs"]
mod pulling;
mod support;
#[path = "support/hub_viewer.rs"]
mod viewer;

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use h5live::origin::SourceElement::{self, Rtmp2Src, RtmpSrc};
use pulling::{LINGER, Pulling, small};
use support::origin::Origin;
use support::process::wait_until;
use support::publisher::{Options, Publisher};

/// The source's timeout, as the server has it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Well under the 30 s in which a page gives up.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn all_viewers_share_one_pull_of_rtmpsrc() {
    share_one_pull(RtmpSrc);
}

#[test]
fn all_viewers_share_one_pull_of_rtmp2src() {
    share_one_pull(Rtmp2Src);
}

fn share_one_pull(element: SourceElement) {
    const STREAM: &str = "ABCDE-shared";
    let origin = Origin::start();
    let _publisher = Publisher::start(&origin, STREAM, &small());
    let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
    assert_eq!(origin.plays(STREAM), 0, "nobody watches yet");

    let mut first = pulling.join(STREAM);
    // The stream runs already: its sound comes at once, its picture with the next keyframe.
    let info = first.wait_for_start();
    assert_eq!(info["haveVideo"], true, "{info}");
    assert_eq!(info["haveAudio"], true, "{info}");
    assert_eq!(info["videoInfo"]["width"], 320);
    let mut others = [pulling.join(STREAM), pulling.join(STREAM)];
    for viewer in &mut others {
        viewer.wait_for_start();
    }
    drop(others);
    first.wait_for_fragments(30);
    assert_eq!(origin.plays(STREAM), 1, "one pull");
    assert!(first.text("onStreamInfo").len() == 1, "no start in between");

    drop(first);
    let mut back = pulling.join(STREAM);
    back.wait_for_start();
    assert_eq!(
        origin.plays(STREAM),
        1,
        "whoever is quick finds it lingering"
    );
    assert_eq!(origin.players(STREAM), 1);

    let left = Instant::now();
    drop(back);
    wait_until("the pull to end", || {
        (origin.players(STREAM) == 0).then_some(())
    });
    assert!(left.elapsed() >= LINGER, "{:?}", left.elapsed());

    pulling.join(STREAM).wait_for_start();
    assert_eq!(origin.plays(STREAM), 2, "a new pull");
}

/// Encoders are fond of 250 frames from one keyframe to the next, and nginx holds the picture back
/// until one comes; `flvdemux` gives a picture up that comes more than 6 s after the sound.
#[test]
fn a_picture_that_comes_long_after_the_sound_is_shown() {
    const STREAM: &str = "ABCDE-rare";
    let origin = Origin::start();
    let options = Options {
        keyframe_interval: 250,
        ..small()
    };
    let _publisher = Publisher::start(&origin, STREAM, &options);
    let mut viewers = Vec::new();
    let sources = [RtmpSrc, Rtmp2Src];
    let pulling = sources.map(|element| Pulling::start(&origin.url("live"), element, TIMEOUT));
    viewers.extend(pulling.iter().map(|pulling| pulling.join(STREAM)));
    let joined = Instant::now();
    for viewer in &mut viewers {
        let info = viewer.wait_for_start();
        assert_eq!(info["haveVideo"], true, "{info}");
        assert_eq!(info["haveAudio"], true, "{info}");
    }
    let waited = joined.elapsed();
    assert!(
        waited > Duration::from_secs(6),
        "{waited:?}: no test at all"
    );
    assert!(waited < SOON, "{waited:?}");
}

#[test]
fn a_missing_stream_plays_when_it_comes_through_rtmpsrc() {
    wait_for_a_missing_stream(RtmpSrc);
}

#[test]
fn a_missing_stream_plays_when_it_comes_through_rtmp2src() {
    wait_for_a_missing_stream(Rtmp2Src);
}

fn wait_for_a_missing_stream(element: SourceElement) {
    const STREAM: &str = "ABCDE-missing";
    let origin = Origin::start();
    let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
    let mut viewer = pulling.join(STREAM);
    let asked = Instant::now();
    wait_until("a third dial", || (origin.plays(STREAM) > 2).then_some(()));
    // Two pulls have run into the timeout, and two rests have passed, half as long as whole ones.
    let least = TIMEOUT * 2 + Duration::from_millis(250 + 500);
    assert!(asked.elapsed() >= least, "{:?}", asked.elapsed());
    viewer.read();
    assert!(viewer.events.is_empty(), "{:?}", viewer.events);

    let _publisher = Publisher::start(&origin, STREAM, &small());
    let published = Instant::now();
    viewer.wait_for_start();
    assert!(published.elapsed() < SOON, "{:?}", published.elapsed());
}

#[test]
fn an_origin_that_hangs_up_is_dialled_with_growing_rests_by_rtmpsrc() {
    rest_between_dials(RtmpSrc);
}

#[test]
fn an_origin_that_hangs_up_is_dialled_with_growing_rests_by_rtmp2src() {
    rest_between_dials(Rtmp2Src);
}

fn rest_between_dials(element: SourceElement) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live", listener.local_addr().unwrap());
    let (dial, dials) = mpsc::channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            drop(connection);
            if dial.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let pulling = Pulling::start(&url, element, TIMEOUT);
    let _viewer = pulling.join("ABCDE-refused");
    let mut last = dials.recv_timeout(SOON).unwrap();
    for least in [250, 500, 1000, 2000] {
        let next = dials.recv_timeout(SOON).expect("it goes on");
        // The listener's thread may have seen the one before late.
        let slack = Duration::from_millis(100);
        let rested = next - last + slack;
        assert!(
            rested >= Duration::from_millis(least),
            "{rested:?}, {least} ms"
        );
        last = next;
    }
}

#[test]
fn an_origin_that_dies_is_told_and_comes_back_through_rtmpsrc() {
    come_back(RtmpSrc);
}

#[test]
fn an_origin_that_dies_is_told_and_comes_back_through_rtmp2src() {
    come_back(Rtmp2Src);
}

fn come_back(element: SourceElement) {
    const STREAM: &str = "ABCDE-back";
    let mut origin = Origin::start();
    let publisher = Publisher::start(&origin, STREAM, &small());
    let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
    let mut viewer = pulling.join(STREAM);
    viewer.wait_for_start();

    let killed = Instant::now();
    origin.kill();
    viewer.wait_for_stop();
    assert!(killed.elapsed() < SOON, "{:?}", killed.elapsed());
    publisher.stop();

    origin.restart();
    let _publisher = Publisher::start(&origin, STREAM, &small());
    let published = Instant::now();
    let info = viewer.wait_for_start();
    assert!(published.elapsed() < SOON, "{:?}", published.elapsed());
    assert_eq!(info["haveVideo"], true, "{info}");
    assert_eq!(viewer.text("onStreamStatus").len(), 1, "told once");
}

#[test]
fn another_publisher_has_its_own_start_through_rtmpsrc() {
    replace_the_publisher(RtmpSrc);
}

#[test]
fn another_publisher_has_its_own_start_through_rtmp2src() {
    replace_the_publisher(Rtmp2Src);
}

fn replace_the_publisher(element: SourceElement) {
    const STREAM: &str = "ABCDE-replaced";
    let origin = Origin::start();
    let large = Options::default();
    let publisher = Publisher::start(&origin, STREAM, &large);
    let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
    let mut viewer = pulling.join(STREAM);
    let info = viewer.wait_for_start();
    assert_eq!(info["videoInfo"]["width"], 640);
    // Longer than what counts as disorder in one publisher's times.
    viewer.wait_for_fragments(60);

    publisher.stop();
    let _publisher = Publisher::start(&origin, STREAM, &small());
    viewer.wait_for_stop();
    let info = viewer.wait_for_start();
    assert_eq!(info["videoInfo"]["width"], 320, "{info}");
    viewer.wait_for_fragments(30);
}

#[test]
fn a_publisher_that_falls_silent_is_told_and_comes_back_through_rtmpsrc() {
    thaw(RtmpSrc);
}

#[test]
fn a_publisher_that_falls_silent_is_told_and_comes_back_through_rtmp2src() {
    thaw(Rtmp2Src);
}

fn thaw(element: SourceElement) {
    const STREAM: &str = "ABCDE-silent";
    let origin = Origin::start();
    let mut publisher = Publisher::start(&origin, STREAM, &small());
    let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
    let mut viewer = pulling.join(STREAM);
    viewer.wait_for_start();
    publisher.freeze();
    let frozen = Instant::now();
    viewer.wait_for_stop();
    assert!(frozen.elapsed() < SOON, "{:?}", frozen.elapsed());
    publisher.thaw();
    viewer.wait_for_start();
}

#[test]
fn a_frozen_origin_is_told_and_its_pull_ends() {
    const STREAM: &str = "ABCDE-frozen";
    for element in [RtmpSrc, Rtmp2Src] {
        let mut origin = Origin::start();
        let _publisher = Publisher::start(&origin, STREAM, &small());
        let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
        let mut viewer = pulling.join(STREAM);
        viewer.wait_for_start();
        origin.freeze();
        viewer.wait_for_stop();
        origin.thaw();
        viewer.wait_for_start();
    }
}

/// GStreamer's `rtmpsrc` dies of use after free when it is stopped while it reads.
#[test]
fn pulls_that_wait_for_streams_can_be_stopped() {
    const STREAMS: usize = 12;
    for element in [RtmpSrc, Rtmp2Src] {
        let origin = Origin::start();
        let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
        let streams: Vec<String> = (0..STREAMS).map(|n| format!("ABCDE-{n}")).collect();
        let viewers: Vec<_> = streams.iter().map(|stream| pulling.join(stream)).collect();
        for stream in &streams {
            wait_until("a pull that waits", || {
                (origin.players(stream) > 0).then_some(())
            });
        }
        drop(viewers);
        for stream in &streams {
            wait_until("the pull to end", || {
                (origin.players(stream) == 0).then_some(())
            });
        }
    }
}
