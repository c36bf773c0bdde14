//! `h5liveauthsink`'s own doors: who shares a listener, what a reader that stands still costs, and how
//! the element leaves. Not covered: who is let in (door_websocket.rs), and browsers.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bench::{Bench, FRAME, PATIENCE, Viewer, picture, picture_of, quiet_port, refuses};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_check::Harness;
use h5live::element::H5LiveAuthSink;
use h5live::hub::fanout;

fn second(pad: &mut Harness, from: u64) {
    for n in 0..30 {
        pad.push(picture(from + n * FRAME, n == 0)).unwrap();
    }
}

#[test]
fn elements_at_one_address_share_a_listener() {
    let one = Bench::of("ABCDE-one", 0);
    let mut first = one.video();
    let port = one.port();
    let two = Bench::of("ABCDE-two", port);
    let mut second_pad = two.video();
    assert_eq!(two.port(), port);

    let mut at_one = one.viewer();
    let mut at_two = two.viewer();
    second(&mut first, 0);
    at_one.until("moof");
    second(&mut second_pad, 0);
    assert_eq!(at_two.until("moof").len(), 4);

    assert!(one.set_state(gst::State::Null));
    assert_eq!(at_one.payload("onStreamStatus")["status"], "stopped");
    second(&mut second_pad, 1000);
    at_two.until("onRandomAccessPoint");
    let mut gone = Viewer::connect(port, "ABCDE-one");
    assert_eq!(gone.next(), "4901", "its key went with it");

    assert!(two.set_state(gst::State::Null));
    for viewer in [&mut at_one, &mut at_two] {
        while viewer.next() != "4503" {}
    }
    assert!(refuses(port));
}

#[test]
fn a_viewer_waits_for_its_stream_and_not_for_one_with_another_secret() {
    // Keeps the listener open.
    let keeper = Bench::of("ABCDE-keeper", 0);
    let _keeper = keeper.video();
    let port = keeper.port();
    let first = Bench::of("ABCDE-one", port);
    let mut pad = first.video();
    let mut viewer = first.viewer();
    second(&mut pad, 0);
    viewer.until("moof");
    assert!(first.set_state(gst::State::Null));
    assert_eq!(viewer.payload("onStreamStatus")["status"], "stopped");

    let same = Bench::of("ABCDE-one", port);
    let mut pad = same.video();
    second(&mut pad, 0);
    viewer.until("moof");
    assert!(same.set_state(gst::State::Null));

    let other = Bench::with_secret("ABCDE-one", port, "another secret of this bench");
    let mut pad = other.video();
    second(&mut pad, 0);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "4901") {
        heard.push(viewer.next());
    }
    // Nothing of the stream with the other secret, which was there before it was told.
    let starts = heard.iter().any(|event| event == "onStreamInfo");
    assert!(!starts, "{heard:?}");
    let mut void = Viewer::connect(port, "ABCDE-one");
    assert_eq!(void.next(), "4901");
}

#[test]
fn a_stream_has_one_element() {
    let one = Bench::of("ABCDE-one", 0);
    let _pad = one.video();
    let same = Bench::of("ABCDE-one", one.port());
    assert!(!same.set_state(gst::State::Playing));
    let error = same.error();
    assert!(error.contains("published already"), "{error}");
    assert!(same.set_state(gst::State::Null));
    assert!(!refuses(one.port()), "the first goes on");

    assert!(one.set_state(gst::State::Null));
    assert!(
        same.set_state(gst::State::Playing),
        "the name is free again"
    );
}

#[test]
fn other_tls_settings_at_the_same_address_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        directory.path().join("c.pem"),
        directory.path().join("k.pem"),
    );
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let with_tls = |stream: &str, port: u16| {
        let bench = Bench::of(stream, port);
        let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        bench
            .element
            .set_property("tls-certificate-file", text(&certificate));
        bench.element.set_property("tls-key-file", text(&key));
        bench
    };
    let one = with_tls("ABCDE-one", 0);
    assert!(one.set_state(gst::State::Playing));
    let same = with_tls("ABCDE-two", one.port());
    assert!(same.set_state(gst::State::Playing));
    assert_eq!(same.port(), one.port());

    let plain = Bench::of("ABCDE-three", one.port());
    assert!(!plain.set_state(gst::State::Playing));
    let error = plain.error();
    assert!(error.contains("other TLS settings"), "{error}");
}

#[test]
fn a_port_that_is_taken_is_an_error_that_says_what_to_do() {
    let port = quiet_port();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let bench = Bench::of("ABCDE-demo", port);
    assert!(!bench.set_state(gst::State::Playing));
    let error = bench.error();
    assert!(error.contains("choose another port"), "{error}");
    assert!(bench.set_state(gst::State::Null));
    drop(taken);
    assert!(bench.set_state(gst::State::Playing));
    assert_eq!(bench.port(), port);
}

#[test]
fn who_starts_hears_which_port_it_took() {
    let bench = Bench::new();
    let (told, heard) = mpsc::channel();
    bench
        .element
        .connect_notify(Some("bound-port"), move |element, _| {
            told.send(element.property::<u32>("bound-port")).unwrap();
        });
    assert!(bench.set_state(gst::State::Playing));
    let port = heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!(port, u32::from(bench.port()));
    assert_ne!(port, 0);
    assert!(bench.set_state(gst::State::Null));
    assert_eq!(bench.port(), 0);
}

#[test]
fn a_client_that_never_reads_does_not_hold_the_streaming_thread() {
    let bench = Bench::new();
    let mut pad = bench.video();
    let mut mute = bench.viewer();
    assert_eq!(mute.next(), "onServerInfo");
    let began = Instant::now();
    // Far more than all buffers between the two hold.
    for n in 0..1000 {
        pad.push(picture_of(n * FRAME, n % 30 == 0, 64 * 1024))
            .unwrap();
    }
    // Whoever waited for that client would wait until the fan-out gives it up.
    let stall = fanout::Limits::default().stall;
    assert!(began.elapsed() < stall, "{:?}", began.elapsed());
    assert_eq!(bench.stat("fragments"), 1000);
    let mut reading = bench.viewer();
    reading.until("moof");
    drop(mute);
}

#[test]
fn viewers_are_told_why_when_the_last_element_leaves() {
    let bench = Bench::new();
    let mut pad = bench.video();
    let port = bench.port();
    second(&mut pad, 0);
    let mut viewer = bench.viewer();
    viewer.until("moof");
    // A connection that idles between two requests has nothing to say, and nothing to wait for.
    let mut idle = TcpStream::connect(("127.0.0.1", port)).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert!(idle.read(&mut [0; 512]).unwrap() > 0);

    // The viewer does not answer meanwhile, so this takes as long as it may.
    let began = Instant::now();
    assert!(bench.set_state(gst::State::Null));
    assert!(began.elapsed() < Duration::from_secs(10), "bounded");
    assert!(refuses(port), "the port is closed when NULL is reached");
    loop {
        let next = viewer.next();
        if next == "4503" {
            break;
        }
        assert!(next.parse::<u16>().is_err(), "closed with {next}");
    }
    viewer.leave();
}

#[test]
fn elements_start_and_leave_at_one_address_from_two_threads() {
    let port = quiet_port();
    let cycle = |stream: &'static str| {
        std::thread::spawn(move || {
            let bench = Bench::of(stream, port);
            for n in 0..50 {
                let started = bench.set_state(gst::State::Playing);
                assert!(started, "{stream}, {n}: {}", bench.error());
                assert!(bench.set_state(gst::State::Null));
            }
        })
    };
    let both = [cycle("ABCDE-one"), cycle("ABCDE-two")];
    for thread in both {
        thread.join().unwrap();
    }
}

#[test]
fn detached_it_takes_nothing_more_and_its_port_is_closed() {
    let bench = Bench::new();
    let mut pad = bench.video();
    second(&mut pad, 0);
    let port = bench.port();
    let sink = bench.element.downcast_ref::<H5LiveAuthSink>().unwrap();
    sink.detach();
    assert!(refuses(port));
    let flow = pad.push(picture(1000, true));
    assert_eq!(flow, Err(gst::FlowError::Flushing));
    assert_eq!(sink.fragments(), 30);
    assert!(bench.silent(gst::MessageType::Error));
}

#[test]
fn nothing_holds_an_element_that_has_been_dropped() {
    let bench = Bench::new();
    let mut pad = bench.video();
    second(&mut pad, 0);
    bench.viewer().until("moof");
    let element = bench.element.downgrade();
    drop(pad);
    drop(bench);
    assert!(element.upgrade().is_none());
}
