//! What Prometheus is told, beside a stream that plays; and that the dashboard asks for nothing else.
//!
//! Not covered: Prometheus and Grafana themselves; the text is held to the format's rules by a reader
//! of our own.
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use support::hls::STREAM;
use support::origin::Origin;
use support::process::wait_until;
use support::publisher::{self, Publisher};
use support::raw::{Raw, upgrade};
use support::server::{Options, Server, agent};
use support::viewer::{Received, Viewer};

const METRICS: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
const SECRET: &str = "the secret of what is counted";

/// Each sample by its name and labels, as they are written.
type Samples = BTreeMap<String, u64>;

fn scrape(port: u16) -> (String, Samples) {
    let mut answer = agent()
        .get(format!("http://127.0.0.1:{port}/metrics"))
        .call()
        .unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.body_mut().read_to_string().unwrap();
    let samples = read(&text);
    (text, samples)
}

/// Reads the text, and holds it to the format and to Prometheus' conventions.
fn read(text: &str) -> Samples {
    let mut samples = Samples::new();
    let (mut helped, mut typed) = (BTreeSet::new(), BTreeMap::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && helped.insert(name), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name), "{line} before its help");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(typed.insert(name, kind).is_none(), "{line} twice");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(
                name.starts_with("h5live_") && typed.contains_key(name),
                "{line}"
            );
            assert!(
                !name.contains(|c: char| !c.is_ascii_lowercase() && !"_5".contains(c)),
                "{line}"
            );
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(
                samples.insert(series.to_owned(), value).is_none(),
                "{line} twice"
            );
        }
    }
    samples
}

#[test]
fn what_happens_is_counted_and_nobody_is_named() {
    let origin = Origin::start();
    let server = Server::start(&Options {
        more: METRICS.to_owned(),
        ..Options::with_origin(&origin.url("live"))
    });
    let port = server.port_beside("metrics at http://");
    server.register(STREAM, SECRET);
    let (text, before) = scrape(port);
    let websocket = "h5live_sessions{door=\"websocket\"}";
    assert_eq!(before[websocket], 0);
    assert!(
        text.contains("# TYPE h5live_viewers_refused_total counter"),
        "{text}"
    );

    let _publisher = Publisher::start(&origin, STREAM, &publisher::Options::default());
    let token = server.mint(&json!({"streamname": STREAM, "tag": "a-tag-of-somebody"}));
    let url = server.websocket_url(&origin.url("live"), STREAM, &token);
    let mut viewer = Viewer::connect(&url);
    viewer.until(|received| matches!(received, Received::Binary(_)));
    let playlist = url.replacen("ws://", "http://", 1).replacen(
        "/h5live/authstream",
        "/h5live/authhttp/playlist.m3u8",
        1,
    );
    let answer = agent().get(&playlist).call().unwrap();
    assert_eq!(answer.status(), 200);
    for _ in 0..3 {
        let mut stranger = Raw::connect(server.port());
        let target = format!("/h5live/authstream?stream={STREAM}");
        stranger.send(&upgrade(target.as_bytes(), ""));
        assert_eq!(stranger.outcome(), "101 close 4903");
    }
    let mut forger = Raw::connect(server.port());
    let target = format!("/h5live/authstream?stream={STREAM}&options=0&token=1.a.b");
    forger.send(&upgrade(target.as_bytes(), ""));
    assert_eq!(forger.outcome(), "101 close 4901");

    let (text, after) = scrape(port);
    let expected = [
        (websocket, 1),
        ("h5live_sessions{door=\"hls\"}", 1),
        ("h5live_sessions_added_total{door=\"websocket\"}", 1),
        ("h5live_sessions_added_total{door=\"hls\"}", 1),
        ("h5live_sessions_stalled_total", 0),
        ("h5live_skips_total", 0),
        ("h5live_streams{state=\"published\"}", 1),
        ("h5live_streams{state=\"awaited\"}", 0),
        ("h5live_pulls", 1),
        ("h5live_pulls_failed_total", 0),
        ("h5live_http_responses_total{status=\"5xx\"}", 0),
    ];
    for (series, value) in expected {
        assert_eq!(
            after.get(series).copied().unwrap_or(0),
            value,
            "{series}\n{text}"
        );
    }
    let refused: Samples = after
        .clone()
        .into_iter()
        .filter(|(series, _)| series.starts_with("h5live_viewers_refused_total"))
        .collect();
    assert_eq!(refused.values().sum::<u64>(), 4, "{refused:?}");
    assert_eq!(
        refused["h5live_viewers_refused_total{code=\"token_missing\"}"],
        3
    );
    for series in [
        "h5live_pulls_started_total",
        "h5live_connections_accepted_total",
    ] {
        assert!(after[series] >= 1, "{series}");
    }
    for door in ["websocket", "http"] {
        assert!(
            after[&format!("h5live_bytes_sent_total{{door=\"{door}\"}}")] > 100,
            "{door}"
        );
    }
    // 101 to the viewer and to four who were refused.
    assert!(after["h5live_http_responses_total{status=\"1xx\"}"] >= 5);
    for (series, value) in &before {
        let grows = series.split('{').next().unwrap().ends_with("_total");
        assert!(!grows || after[series] >= *value, "{series} shrinks");
    }
    let private = [
        STREAM,
        "ABCDE",
        SECRET,
        &token.token,
        &token.tag,
        "127.0.0.1",
        "rtmp",
    ];
    for word in private {
        assert!(!text.contains(word), "{word} is told\n{text}");
    }

    drop(viewer);
    wait_until("the viewer to be counted out", || {
        (scrape(port).1[websocket] == 0).then_some(())
    });
    let path = |path: &str| {
        let url = format!("http://127.0.0.1:{port}{path}");
        agent().get(url).call().unwrap().status().as_u16()
    };
    assert_eq!(
        (path("/"), path("/healthz"), path("/h5live/authstream")),
        (404, 404, 404)
    );
    let main = agent()
        .get(format!("{}/metrics", server.base()))
        .call()
        .unwrap();
    assert_eq!(main.status(), 404, "the doors tell no metrics");
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let server = Server::start(&Options {
        tls: true,
        more: METRICS.to_owned(),
        ..Options::default()
    });
    let port = server.port_beside("metrics at http://");
    let (text, _) = scrape(port);
    let there: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let dashboard = include_str!("../examples/grafana/h5live.json");
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let words = target["expr"].as_str().unwrap();
            let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            asked.extend(words.filter(|word| word.starts_with("h5live_")));
        }
    }
    assert_eq!(asked, there);
}
