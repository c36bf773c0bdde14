//! `h5liveauthsink`'s properties and what they do, and what it asks of its upstream. Not covered: how they
//! look in `gst-inspect-1.0` (gst_launch.rs), ports and TLS (element_doors.rs).
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/told.rs"]
mod told;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bench::{Bench, FRAME, PATIENCE, picture};
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use told::{Client, clients, next, query};

const STREAM: &str = "ABCDE-demo";

/// An HTTP request's status, with header lines of its own.
fn status(port: u16, path: &str, headers: &str) -> u16 {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    tcp.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 12];
    tcp.read_exact(&mut head).unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

#[test]
fn every_property_says_what_it_is_and_when_it_may_change() {
    let bench = Bench::new();
    let own = h5live::element::H5LiveAuthSink::static_type();
    let properties = bench.element.list_properties();
    let properties: Vec<_> = (properties.iter())
        .filter(|property| property.owner_type() == own)
        .collect();
    let mut names: Vec<_> = properties.iter().map(|property| property.name()).collect();
    names.sort_unstable();
    let expected = [
        "address",
        "authorize-timeout",
        "bound-port",
        "client-backlog",
        "gop-cache",
        "hls",
        "hls-part-duration",
        "hls-window",
        "master-key-file",
        "max-clients",
        "on-expiry",
        "open",
        "page-origins",
        "plain-http",
        "port",
        "qos",
        "records",
        "records-password-file",
        "secret",
        "secret-file",
        "stats",
        "stream-name",
        "sync",
        "tls-certificate-file",
        "tls-key-file",
        "trusted-proxies",
        "ts-offset",
    ];
    assert_eq!(names, expected);
    let fresh = gst::ElementFactory::make("h5liveauthsink").build().unwrap();
    for property in properties {
        let name = property.name();
        assert_ne!(property.nick(), name, "{name}");
        assert!(
            property.blurb().is_some_and(|blurb| blurb.len() > 10),
            "{name}"
        );
        let writable = property.flags().contains(glib::ParamFlags::WRITABLE);
        assert_ne!(writable, ["bound-port", "stats"].contains(&name), "{name}");
        if writable {
            let mutable = match name {
                "qos" | "sync" | "ts-offset" => gst::PARAM_FLAG_MUTABLE_PLAYING,
                _ => gst::PARAM_FLAG_MUTABLE_READY,
            };
            assert!(property.flags().contains(mutable), "{name}");
            let value = fresh.property_value(name);
            let (value, default) = (
                format!("{value:?}"),
                format!("{:?}", property.default_value()),
            );
            assert_eq!(value, default, "{name}");
        }
    }
}

#[test]
fn a_secret_is_in_no_dump_no_log_and_no_notification() {
    const SECRET: &str = "the secret of this bench";
    gst::init().unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let written = Arc::clone(&seen);
    gst::log::remove_default_log_function();
    gst::log::add_log_function(move |_, _, _, _, _, object, message| {
        let object = object.map(ToString::to_string).unwrap_or_default();
        let line = format!("{object} {}\n", message.get().unwrap_or_default());
        written.lock().unwrap().push_str(&line);
    });
    gst::log::set_threshold_from_string("*:9", true);
    let bench = Bench::new();
    let pipeline = gst::Pipeline::new();
    pipeline.add(&bench.element).unwrap();
    let notified = Arc::clone(&seen);
    // With null for its name it hears of all.
    pipeline.connect_deep_notify(None, move |_, object, property| {
        let value = object.property_value(property.name());
        let line = format!("deep-notify {}: {value:?}\n", property.name());
        notified.lock().unwrap().push_str(&line);
    });
    bench.element.set_property("secret", SECRET);
    let _pad = bench.video();
    let query = query(STREAM, None, None);
    let mut client = Client::new(bench.port(), &query);
    client.hears("onServerInfo");
    let dot = pipeline.debug_to_dot_data(gst::DebugGraphDetails::all());
    let value = bench.element.property::<Option<String>>("secret");
    assert_eq!(value, None);
    drop(client);
    assert!(bench.set_state(gst::State::Null));
    gst::log::set_threshold_from_string("*:0", true);

    let told = seen.lock().unwrap();
    let token = query.split("token=").nth(1).unwrap().split('&').next();
    for (what, text) in [("log", told.as_str()), ("dump", &dot)] {
        assert!(text.contains("h5liveauthsink"), "the {what} is empty");
        for hidden in [SECRET, token.unwrap()] {
            assert!(!text.contains(hidden), "{hidden} in the {what}");
        }
    }
    assert!(told.contains("deep-notify secret: "), "it was notified of");
    assert!(
        told.contains("client 0 at 127.0.0.1 plays"),
        "the log is useful"
    );
}

#[test]
fn an_open_stream_needs_no_token_and_a_closed_one_does() {
    let bench = Bench::new();
    let _pad = bench.video();
    let closed = Client::at(bench.port(), "stream", "stream=ABCDE-demo").closed();
    assert_eq!(closed, 4901);
    drop(bench);

    let bench = Bench::new();
    bench.element.set_property("secret", None::<String>);
    bench.element.set_property("open", true);
    let added = clients(&bench.element, "client-added");
    let _pad = bench.video();
    let mut client = Client::at(bench.port(), "stream", "stream=ABCDE-demo");
    client.hears("onServerInfo");
    assert_eq!(next(&added).1.get::<&str>("door"), Ok("open"));
    // Nobody has its secret.
    let gated = Client::new(bench.port(), &query(STREAM, None, None)).closed();
    assert_eq!(gated, 4901);
    let other = Client::at(bench.port(), "stream", "stream=ABCDE-other").closed();
    assert_eq!(other, 4901);
}

#[test]
fn bounds_and_habits_of_the_listener_are_set_by_properties() {
    let bench = Bench::new();
    bench.element.set_property("max-clients", 1u32);
    bench.element.set_property("hls", false);
    bench
        .element
        .set_property("trusted-proxies", "127.0.0.0/8, ::1");
    bench
        .element
        .set_property("page-origins", "https://Good.example");
    bench.element.set_property_from_str("on-expiry", "close");
    let added = clients(&bench.element, "client-added");
    let mut pad = bench.video();
    for n in 0..30 {
        pad.push(picture(n * FRAME, n == 0)).unwrap();
    }
    let port = bench.port();
    let good = query(STREAM, None, None);
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let playlist = format!("/h5live/authhttp/playlist.m3u8?{good}");
    assert_eq!(status(port, &playlist, ""), 404);

    // No page, as that of a native player, is not one that is allowed.
    assert_eq!(Client::new(port, &good).closed(), 4901);
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "GET /h5live/authstream?{good} HTTP/1.1\r\nHost: x\r\n{upgrade}\
         Origin: https://good.example\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).unwrap();
    let (_, client) = next(&added);
    assert_eq!(client.get::<&str>("client-address"), Ok("198.51.100.7"));
    let removed = clients(&bench.element, "client-removed");
    let full = format!("/h5live/authhttp/stream.mp4?{good}");
    assert_eq!(status(port, &full, ""), 503, "one client is all");
    drop(tcp);
    next(&removed);

    let other = Bench::of("ABCDE-other", port);
    assert!(!other.set_state(gst::State::Playing));
    let error = other.error();
    assert!(
        error.contains("max-clients") && error.contains("other settings"),
        "{error}"
    );
}

#[test]
fn what_can_not_be_read_is_an_error_that_names_the_property() {
    let bench = Bench::new();
    bench.element.set_property("trusted-proxies", "10.0.0.1/8");
    assert!(!bench.set_state(gst::State::Playing));
    let error = bench.error();
    assert!(error.contains("trusted-proxies"), "{error}");
}

#[test]
fn a_keyframe_is_asked_for_where_the_last_one_is_old_and_not_for_each_client() {
    let bench = Bench::new();
    let added = clients(&bench.element, "client-added");
    let mut pad = bench.video();
    let good = query(STREAM, None, None);
    pad.push(picture(0, true)).unwrap();
    let pushed = Instant::now();
    let client = Client::new(bench.port(), &good);
    next(&added);
    // On a slow machine the keyframe may be old by now.
    let asked = bench.stat("keyframe-requests");
    assert!(asked == 0 || pushed.elapsed() > Duration::from_secs(1));
    let mut began = Instant::now();
    while began.elapsed() < Duration::from_millis(1100) {
        std::thread::sleep(Duration::from_millis(20));
    }

    began = Instant::now();
    let many: Vec<_> = (0..20).map(|_| Client::new(bench.port(), &good)).collect();
    for _ in &many {
        next(&added);
    }
    let most = asked + began.elapsed().as_secs() + 1;
    let requests = bench.stat("keyframe-requests");
    assert!(
        requests > asked && requests <= most,
        "{requests}, at most {most}"
    );
    let event = loop {
        let event = pad.pull_upstream_event().unwrap();
        if event.type_() == gst::EventType::CustomUpstream {
            break event;
        }
    };
    let structure = event.structure().unwrap();
    assert_eq!(structure.name(), "GstForceKeyUnit");
    assert_eq!(structure.get::<bool>("all-headers"), Ok(true));
    assert_eq!(structure.get::<u32>("count"), Ok(1));
    assert_eq!(
        structure.get::<Option<gst::ClockTime>>("running-time"),
        Ok(None)
    );
    drop(client);
}

#[test]
fn position_is_stream_time_and_latency_is_upstreams() {
    let bench = Bench::new();
    let mut pad = bench.video();
    for n in 0..31 {
        pad.push(picture(n * FRAME, n == 0)).unwrap();
    }
    let position = bench.element.query_position::<gst::ClockTime>();
    assert_eq!(position, Some(gst::ClockTime::from_mseconds(30 * FRAME)));
    pad.set_upstream_latency(gst::ClockTime::from_mseconds(40));
    let mut query = gst::query::Latency::new();
    assert!(bench.element.query(&mut query));
    let (live, least, _) = query.result();
    assert!(
        !live || least == gst::ClockTime::from_mseconds(40),
        "{query:?}"
    );
}

#[test]
fn on_expiry_keep_lets_a_client_play_on() {
    let bench = Bench::new();
    let mut pad = bench.video();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expires = since.as_secs() + 2;
    let mut client = Client::new(bench.port(), &query(STREAM, None, Some(expires)));
    client.hears("onServerInfo");
    let mut n = 0;
    while SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        < expires + 1
    {
        pad.push(picture(n * FRAME, n % 30 == 0)).unwrap();
        n += 1;
        std::thread::sleep(Duration::from_millis(FRAME));
    }
    pad.push(picture(n * FRAME, true)).unwrap();
    client.hears("onRandomAccessPoint");
    assert_eq!(bench.stat("clients"), 1);
}
