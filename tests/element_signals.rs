//! `h5liveauthsink`'s signals: who may play, who came, who went and why, and what the application asks.
//! Not covered: the bus (element_bus.rs), and signals from C or Python.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/told.rs"]
mod told;

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use bench::Bench;
use gstreamer as gst;
use gstreamer::prelude::*;
use told::{Client, clients, next, query};

const STREAM: &str = "ABCDE-demo";

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Decides by a function in `authorize-client`.
fn decide(
    bench: &Bench,
    decision: impl Fn(gst::Structure, gst::Promise) -> bool + Send + Sync + 'static,
) {
    let connected = bench
        .element
        .connect("authorize-client", false, move |values| {
            let (request, answer) = (values[1].get().unwrap(), values[2].get().unwrap());
            Some(decision(request, answer).to_value())
        });
    let _ = connected;
}

fn answer() -> gst::structure::Builder {
    gst::Structure::builder("answer")
}

#[test]
fn a_handler_is_told_the_facts_and_never_the_token() {
    let bench = Bench::new();
    let (asked, requests) = mpsc::channel();
    decide(&bench, move |request, promise| {
        asked.send(request).unwrap();
        promise.reply(None);
        true
    });
    let _pad = bench.video();
    let expires = now() + 3600;
    let query = query(STREAM, Some("guest 7"), Some(expires)).replace(' ', "%20");
    let mut client = Client::new(bench.port(), &query);
    client.hears("onServerInfo");
    let request = next(&requests);
    assert_eq!(request.get::<&str>("verdict"), Ok("granted"));
    assert_eq!(request.get::<&str>("door"), Ok("gated"));
    assert_eq!(request.get::<&str>("stream"), Ok(STREAM));
    assert_eq!(request.get::<&str>("client-address"), Ok("127.0.0.1"));
    assert_eq!(request.get::<&str>("tag"), Ok("guest 7"));
    assert_eq!(request.get::<&str>("scope"), Ok("stream"));
    assert_eq!(request.get::<u64>("expires"), Ok(expires));
    let token = query.split("token=").nth(1).unwrap().split('&').next();
    assert!(!request.to_string().contains(token.unwrap()), "{request}");
}

#[test]
fn a_handler_refuses_and_can_not_widen() {
    gst::init().unwrap();
    for (name, refusal) in [
        ("false", (false, None)),
        (
            "allow=false",
            (true, Some(answer().field("allow", false).build())),
        ),
        (
            "unreadable",
            (true, Some(answer().field("expires", "soon").build())),
        ),
        (
            "a second that is over",
            (true, Some(answer().field("expires", 1u64).build())),
        ),
    ] {
        let bench = Bench::new();
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        decide(&bench, move |_, promise| {
            *count.lock().unwrap() += 1;
            if refusal.0 {
                promise.reply(refusal.1.clone());
            }
            refusal.0
        });
        let _pad = bench.video();
        let good = query(STREAM, None, None);
        assert_eq!(Client::new(bench.port(), &good).closed(), 4901, "{name}");
        assert_eq!(*asked.lock().unwrap(), 1, "{name}");
    }

    // Whom the verifier refuses, nobody is asked about, whatever would be answered.
    let bench = Bench::new();
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    decide(&bench, move |_, promise| {
        *count.lock().unwrap() += 1;
        promise.reply(Some(answer().field("allow", true).build()));
        true
    });
    let _pad = bench.video();
    let over = query(STREAM, None, Some(now() - 1));
    assert_eq!(Client::new(bench.port(), &over).closed(), 4903);
    let forged = query(STREAM, None, None).replace("options=0", "options=8&tag=x");
    assert_eq!(Client::new(bench.port(), &forged).closed(), 4901);
    assert_eq!(*asked.lock().unwrap(), 0);
    Client::new(bench.port(), &query(STREAM, None, None)).hears("onServerInfo");
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[test]
fn one_handler_of_many_is_enough_to_refuse() {
    let bench = Bench::new();
    decide(&bench, |_, promise| {
        promise.reply(None);
        true
    });
    decide(&bench, |_, _| false);
    let _pad = bench.video();
    let good = query(STREAM, None, None);
    assert_eq!(Client::new(bench.port(), &good).closed(), 4901);
}

#[test]
fn an_answer_may_come_later_and_none_is_a_refusal() {
    let bench = Bench::new();
    bench.element.set_property("authorize-timeout", 300u32);
    let (kept, promises) = mpsc::channel::<gst::Promise>();
    decide(&bench, move |_, promise| kept.send(promise).is_ok());
    let _pad = bench.video();
    let (port, good) = (bench.port(), query(STREAM, None, None));

    let query = good.clone();
    let silent = std::thread::spawn(move || Client::new(port, &query).closed());
    let promise = next(&promises);
    assert_eq!(silent.join().unwrap(), 4900);
    // Too late, and no mistake.
    promise.reply(None);

    drop(bench);
    let bench = Bench::new();
    bench.element.set_property("authorize-timeout", 60_000u32);
    let (kept, promises) = mpsc::channel::<gst::Promise>();
    decide(&bench, move |_, promise| kept.send(promise).is_ok());
    let _pad = bench.video();
    let port = bench.port();
    let waiting = std::thread::spawn(move || Client::new(port, &good).hears("onServerInfo"));
    next(&promises).reply(None);
    waiting.join().unwrap();
}

#[test]
fn a_shorter_time_ends_a_session_also_where_expiry_does_not() {
    let bench = Bench::new();
    decide(&bench, |_, promise| {
        promise.reply(Some(answer().field("expires", now() + 2).build()));
        true
    });
    let removed = clients(&bench.element, "client-removed");
    let _pad = bench.video();
    let long = query(STREAM, None, Some(now() + 3600));
    assert_eq!(Client::new(bench.port(), &long).closed(), 4903);
    assert_eq!(next(&removed).1.get::<&str>("reason"), Ok("expired"));
}

#[test]
fn clients_are_told_when_they_come_and_why_they_go() {
    let bench = Bench::new();
    let added = clients(&bench.element, "client-added");
    let removed = clients(&bench.element, "client-removed");
    let _pad = bench.video();
    let port = bench.port();
    let tagged = |tag| query(STREAM, Some(tag), None);

    let leaves = Client::new(port, &tagged("a"));
    let (first, client) = next(&added);
    assert_eq!(client.get::<&str>("tag"), Ok("a"));
    assert_eq!(client.get::<&str>("way"), Ok("websocket"));
    assert_eq!(client.get::<&str>("client-address"), Ok("127.0.0.1"));
    drop(leaves);
    let (id, gone) = next(&removed);
    assert_eq!((id, gone.get::<&str>("reason")), (first, Ok("left")));
    assert!(gone.get::<u64>("duration-ms").is_ok() && gone.get::<u64>("skips") == Ok(0));

    let mut kicked = Client::new(port, &tagged("b"));
    let (id, _) = next(&added);
    let stats = bench
        .element
        .emit_by_name::<Option<gst::Structure>>("get-stats", &[&id]);
    assert_eq!(stats.unwrap().get::<&str>("tag"), Ok("b"));
    assert!(bench.element.emit_by_name::<bool>("kick-client", &[&id]));
    assert_eq!(kicked.closed(), 4901);
    drop(kicked);
    let (gone_id, gone) = next(&removed);
    assert_eq!((gone_id, gone.get::<&str>("reason")), (id, Ok("revoked")));
    let stats = bench
        .element
        .emit_by_name::<Option<gst::Structure>>("get-stats", &[&id]);
    assert!(stats.is_none());
    assert!(!bench.element.emit_by_name::<bool>("kick-client", &[&id]));

    let (mut one, mut other) = (
        Client::new(port, &tagged("c")),
        Client::new(port, &tagged("d")),
    );
    next(&added);
    next(&added);
    let revoke = |tag: Option<&str>, address: Option<&str>| {
        bench
            .element
            .emit_by_name::<u32>("revoke", &[&tag, &address])
    };
    assert_eq!(revoke(Some("c"), Some("192.0.2.1")), 0);
    assert_eq!(revoke(None, Some("no address")), 0);
    assert_eq!(revoke(Some("c"), None), 1);
    assert_eq!(one.closed(), 4901);
    assert_eq!(bench.stat("clients"), 1);
    assert_eq!(revoke(None, Some("127.0.0.1")), 1);
    assert_eq!(other.closed(), 4901);
    assert_eq!(bench.stat("clients-added"), 4);
}

#[test]
fn those_who_are_there_when_it_stops_are_told_of_before_null_is_reached() {
    let bench = Bench::new();
    let added = clients(&bench.element, "client-added");
    let removed = clients(&bench.element, "client-removed");
    let _pad = bench.video();
    let query = query(STREAM, None, None);
    let client = Client::new(bench.port(), &query);
    let mut ids = vec![next(&added).0];
    // It waits for segments, and its session is no connection that could be closed.
    let mut hls = TcpStream::connect(("127.0.0.1", bench.port())).unwrap();
    let request = format!("GET /h5live/authhttp/playlist.m3u8?{query} HTTP/1.1\r\nHost: h\r\n\r\n");
    hls.write_all(request.as_bytes()).unwrap();
    ids.push(next(&added).0);
    assert!(bench.set_state(gst::State::Null));
    let mut gone: Vec<u64> = removed.try_iter().map(|(id, _)| id).collect();
    gone.sort_unstable();
    assert_eq!(gone, ids, "each of them once");
    drop((client, hls));
}

#[test]
fn another_element_at_the_same_port_has_its_own_clients() {
    let (one, keeper) = (Bench::of("ABCDE-one", 0), clients);
    let at_one = keeper(&one.element, "client-added");
    let _pad = one.video();
    let two = Bench::of("ABCDE-two", one.port());
    let at_two = clients(&two.element, "client-added");
    let _pad_two = two.video();
    let _client = Client::new(one.port(), &query("ABCDE-two", None, None));
    let (id, client) = next(&at_two);
    assert_eq!(client.get::<&str>("stream"), Ok("ABCDE-two"));
    assert!(!one.element.emit_by_name::<bool>("kick-client", &[&id]));
    assert!(at_one.try_recv().is_err());
    assert_eq!(one.stat("clients"), 0);
}
