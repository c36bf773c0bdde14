//! One pipeline for all who watch a stream by RTSP, for as long as anybody does, and how each of them is ended.
//! ffmpeg → h5live-server → RTSP by the byte.
//!
//! Not covered: what players make of it (`rtsp_playback.rs`).
#![cfg(all(feature = "server", feature = "rtsp"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::process::{PATIENCE, wait_until};
use support::publisher;
use support::rtsp::{Rtsp, STREAM, Site, token};

/// The promise is one second; a busy machine gets more here.
const PROMPTLY: Duration = Duration::from_secs(3);

fn watch(site: &Site, tag: &str, seconds: Option<i64>) -> Rtsp {
    let mut client = Rtsp::connect(site.rtsp);
    client.play(&site.url(&token(tag, seconds)));
    client
}

/// Reads until the connection ends, and says how long that took.
fn end(client: &mut Rtsp) -> Duration {
    let begun = Instant::now();
    assert!(client.rest(PATIENCE).is_some(), "it did not end");
    begun.elapsed()
}

fn sessions(site: &Site, metrics: u16) -> String {
    let text = support::server::agent()
        .get(format!("http://127.0.0.1:{metrics}/metrics"))
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("h5live_sessions{door=\"rtsp\"}"));
    let line = line.unwrap_or_else(|| panic!("{text}\n{}", site.server.log()));
    line.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn three_tokens_watch_one_pipeline_and_each_is_ended_alone() {
    let metrics = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let site = Site::start(metrics, "on-expiry = \"close\"\n");
    let metrics = site.server.port_beside("metrics at http://");
    let mut staying = watch(&site, "staying", None);
    let mut withdrawn = watch(&site, "withdrawn", Some(3600));
    let mut expiring = watch(&site, "expiring", Some(4));
    let sources =
        [&mut staying, &mut withdrawn, &mut expiring].map(|client| client.source().unwrap());
    assert_eq!(sources, [sources[0]; 3]);
    assert_eq!(sessions(&site, metrics), "3");
    assert_eq!(site.server.log().matches("viewer let in").count(), 3);

    // Others take other tracks of it.
    let url = site.url(&token("other", None));
    let mut both = Rtsp::connect(site.rtsp);
    both.play_tracks(&url, &[0, 1]);
    let mut sound = Rtsp::connect(site.rtsp);
    sound.play_tracks(&url, &[1]);
    assert!(both.hears(0) && both.hears(2) && sound.hears(2));
    drop(both);
    drop(sound);

    end(&mut expiring);
    let revoked = Instant::now();
    let selection = json!({"streamname": STREAM, "tag": "withdrawn"});
    let (status, answer) = site.server.post("/secure/revoke", &selection);
    assert_eq!(status, 200, "{answer}");
    end(&mut withdrawn);
    assert!(revoked.elapsed() < PROMPTLY, "{:?}", revoked.elapsed());
    assert_eq!(staying.source(), Some(sources[0]));
    wait_until("one session to be left", || {
        (sessions(&site, metrics) == "1").then_some(())
    });

    let mut refused = Rtsp::connect(site.rtsp);
    let url = site.url(&token("expiring", Some(-1)));
    assert_eq!(refused.ask("DESCRIBE", &url, "").status, 403);
    assert_eq!(staying.source(), Some(sources[0]));
}

#[test]
fn whoever_comes_when_the_last_has_just_left_is_served() {
    let site = Site::start("", "");
    let mut sources = Vec::new();
    for _ in 0..8 {
        let mut client = watch(&site, "guest", None);
        sources.push(client.source().unwrap());
    }
    // Media that ended with the last viewer are not those of the next.
    sources.dedup();
    assert!(sources.len() > 1, "{sources:?}");
    // Those who leave one by one leave to the others what they watch.
    let mut last = watch(&site, "guest", None);
    let source = last.source();
    for _ in 0..8 {
        let next = watch(&site, "guest", None);
        drop(std::mem::replace(&mut last, next));
        assert_eq!(last.source(), source);
    }
    // A described stream is not played for ever: the one who does not play leaves again.
    let mut other = Rtsp::connect(site.rtsp);
    let answer = other.ask("DESCRIBE", &site.url(&token("guest", None)), "");
    assert_eq!(answer.status, 200);
    assert_eq!(last.source(), source);
}

#[test]
fn one_that_takes_nothing_is_ended_and_holds_nobody_up() {
    let limits = "[metrics]\nlisten = \"127.0.0.1:0\"\n[limits]\nstall-timeout = \"2s\"\n";
    let mut site = Site::start(limits, "");
    site.publish(&publisher::Options {
        video_kbits: 8000,
        ..publisher::Options::default()
    });
    let metrics = site.server.port_beside("metrics at http://");
    let mut reading = watch(&site, "reading", None);
    let source = reading.source();
    let mut slow = Rtsp::connect_narrow(site.rtsp);
    slow.play(&site.url(&token("slow", None)));
    assert_eq!(sessions(&site, metrics), "2");
    let deadline = Instant::now() + PATIENCE;
    while sessions(&site, metrics) != "1" {
        assert!(Instant::now() < deadline, "the slow one is still there");
        for _ in 0..200 {
            assert_eq!(reading.source(), source);
        }
    }
    assert_eq!(reading.source(), source);
}

#[test]
fn viewers_end_with_their_stream_and_with_the_server() {
    let mut site = Site::start("", "");
    let mut client = watch(&site, "guest", None);
    let small = client.ask("DESCRIBE", &site.url(&token("guest", None)), "");
    assert_eq!(small.status, 200);
    site.publish(&publisher::Options {
        width: 640,
        height: 360,
        audio: false,
        ..publisher::Options::default()
    });
    end(&mut client);
    // The next stream is described as what it is.
    let mut client = Rtsp::connect(site.rtsp);
    let url = site.url(&token("guest", None));
    let other = wait_until("the next stream", || {
        let answer = Rtsp::connect(site.rtsp).ask("DESCRIBE", &url, "");
        (answer.status == 200).then_some(answer)
    });
    assert!(
        small.body.contains("m=audio") && !other.body.contains("m=audio"),
        "{other:?}"
    );
    client.play(&url);
    assert!(client.source().is_some());
    site.server.terminate();
    end(&mut client);
    wait_until("the server to end", || {
        (!site.server.is_running()).then_some(())
    });
    assert!(site.server.log().contains("stopped"));
    assert!(
        !site.server.log().contains("do not leave in time"),
        "{}",
        site.server.log()
    );
}
