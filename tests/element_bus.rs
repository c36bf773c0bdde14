//! What `h5liveauthsink` posts about its clients: who was let in, refused, ended or dropped, and how much of
//! it. Not covered: errors of start and caps (element_doors.rs, element_pads.rs).
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/told.rs"]
mod told;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bench::{Bench, FRAME, PATIENCE, picture_of};
use gstreamer as gst;
use gstreamer::prelude::*;
use told::{Client, clients, message, next, query};

const STREAM: &str = "ABCDE-demo";

/// Messages of one kind in a second, as the element has it.
const MOST: u64 = 20;

fn in_seconds(seconds: u64) -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs() + seconds
}

#[test]
fn who_is_let_in_refused_revoked_and_expired_is_told_without_a_token() {
    let bench = Bench::new();
    bench.element.set_property_from_str("on-expiry", "close");
    let _pad = bench.video();
    let port = bench.port();

    let good = query(STREAM, Some("a"), None);
    let mut client = Client::new(port, &good);
    let told = message(&bench.bus, "client-authorized");
    assert_eq!(told.get::<&str>("tag"), Ok("a"));
    assert_eq!(told.get::<&str>("client-address"), Ok("127.0.0.1"));
    let id = told.get::<u64>("id").unwrap();
    let token = good
        .split("token=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    assert!(!told.to_string().contains(token), "{told}");

    assert!(bench.element.emit_by_name::<bool>("kick-client", &[&id]));
    assert_eq!(client.closed(), 4901);
    drop(client);
    let told = message(&bench.bus, "client-revoked");
    assert_eq!(told.get::<u64>("id"), Ok(id));

    let forged = query(STREAM, Some("a"), None).replace("tag=a", "tag=b");
    assert_eq!(Client::new(port, &forged).closed(), 4901);
    let told = message(&bench.bus, "client-denied");
    assert_eq!(told.get::<&str>("code"), Ok("mismatch"));
    assert_eq!(told.get::<u32>("close-code"), Ok(4901));
    assert!(!told.to_string().contains(token), "{told}");

    let mut short = Client::new(port, &query(STREAM, None, Some(in_seconds(2))));
    assert_eq!(short.closed(), 4903);
    drop(short);
    let told = message(&bench.bus, "client-expired");
    assert_eq!(told.get::<&str>("reason"), Ok("expired"));
    assert!(bench.silent(gst::MessageType::Error));
    assert!(bench.silent(gst::MessageType::Warning));
}

#[test]
fn an_attack_does_not_flood_the_bus() {
    const ATTEMPTS: u64 = 300;
    let bench = Bench::new();
    let _pad = bench.video();
    let bad = query(STREAM, None, None).replace("options=0", "options=2");
    let bad = bad.replace("token=A", "token=B");
    let began = Instant::now();
    for _ in 0..ATTEMPTS {
        assert_eq!(Client::new(bench.port(), &bad).closed(), 4901);
    }
    // The last of the queue: what comes before it has been told or left out.
    let added = clients(&bench.element, "client-added");
    let _client = Client::new(bench.port(), &query(STREAM, None, None));
    next(&added);
    let seconds = began.elapsed().as_secs() + 1;
    assert_eq!(bench.stat("clients-denied"), ATTEMPTS);
    let mut denied = 0;
    while let Some(message) = bench.bus.pop_filtered(&[gst::MessageType::Element]) {
        let structure = message.structure().unwrap();
        denied += u64::from(structure.name() == "client-denied");
    }
    assert!(
        denied >= 1 && denied <= MOST * seconds,
        "{denied} in {seconds} s"
    );
}

#[test]
fn a_client_that_takes_nothing_is_warned_of() {
    let bench = Bench::new();
    let removed = clients(&bench.element, "client-removed");
    let mut pad = bench.video();
    let _mute = Client::new(bench.port(), &query(STREAM, None, None));
    // More than all buffers between the two hold.
    for n in 0..300 {
        pad.push(picture_of(n * FRAME, n % 30 == 0, 64 * 1024))
            .unwrap();
    }
    let (_, gone) = next(&removed);
    assert_eq!(gone.get::<&str>("reason"), Ok("dropped"));
    let deadline = gst::ClockTime::from_seconds(PATIENCE.as_secs());
    let warning = bench
        .bus
        .timed_pop_filtered(deadline, &[gst::MessageType::Warning]);
    let warning = warning.expect("a warning");
    let gst::MessageView::Warning(warning) = warning.view() else {
        panic!("{warning:?}");
    };
    let text = warning.error().to_string();
    assert!(text.contains("127.0.0.1 was dropped"), "{text}");
    assert_eq!(bench.stat("clients-dropped"), 1);
}

#[test]
fn a_handler_that_hangs_holds_up_neither_media_nor_clients_nor_the_stop() {
    let bench = Bench::new();
    let (hung, hangs) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    bench.element.connect("client-added", false, move |_| {
        hung.send(()).unwrap();
        let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        None
    });
    let mut pad = bench.video();
    let mut client = Client::new(bench.port(), &query(STREAM, None, None));
    next(&hangs);
    for n in 0..30 {
        pad.push(picture_of(n * FRAME, n == 0, 100)).unwrap();
    }
    client.hears("onRandomAccessPoint");
    let began = Instant::now();
    assert!(bench.set_state(gst::State::Null));
    assert!(began.elapsed() < Duration::from_secs(30), "bounded");
    drop(release);
}
