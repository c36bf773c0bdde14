//! What the console tells of streams, sessions, origins and denials, and what it does to them.
//! ffmpeg → nginx-rtmp → h5live-server → viewers by WebSocket, HLS and stream.mp4.
//!
//! Not covered: its pages (`console_browser.rs`), who may ask (`console_login.rs`).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use support::console::{CONSOLE, Console};
use support::hls::{STREAM, Site};
use support::process::wait_until;
use support::publisher::{self, Publisher};
use support::viewer::{Received, Viewer};

/// The row of a list whose field has this value.
fn row<'a>(snapshot: &'a Value, list: &str, field: &str, value: &str) -> Option<&'a Value> {
    let rows = snapshot[list].get("rows").unwrap_or(&snapshot[list]);
    let mut rows = rows.as_array().expect("a list").iter();
    rows.find(|row| row[field] == value)
}

#[test]
fn who_plays_is_shown_with_numbers_and_ended_on_every_door() {
    let site = Site::start_with("", CONSOLE);
    let _publisher = site.publish();
    let console = Console::of(&site.server);
    let login = console.log_in();

    let token = site.mint(&json!({"tag": "viewer <1>"}));
    let url = (site.server).websocket_url(&site.origin.url("live"), STREAM, &token);
    let mut viewer = Viewer::connect(&url);
    viewer.until(|message| matches!(message, Received::Binary(_)));
    let token = site.mint(&json!({}));
    let playlist = site.playlist_url(&token);
    assert_eq!(site.get(&playlist, &[]).status, 200);
    let file = site.url("/h5live/authhttp/stream.mp4", &token);
    let (status, mut download) = site.begin(Ipv4Addr::new(127, 0, 0, 7), &file, "");
    assert_eq!(status, 200);

    let (stream, sessions) = console.watch(&login, "", |snapshot| {
        let stream = row(snapshot, "streams", "stream", STREAM)?;
        let known = !stream["kbps"].is_null() && !stream["keyframe_ms"].is_null();
        let all = ["websocket", "hls", "stream.mp4"]
            .map(|door| row(snapshot, "sessions", "door", door).cloned());
        let all = all.into_iter().collect::<Option<Vec<Value>>>()?;
        known.then(|| (stream.clone(), all))
    });
    assert_eq!(stream["state"], "playing", "{stream}");
    assert_eq!(
        (&stream["width"], &stream["height"]),
        (&json!(640), &json!(360))
    );
    assert_eq!(stream["viewers"], 3);
    assert!(stream["mime"].as_str().unwrap().contains("avc1."));
    assert_eq!(stream["audio_hertz"], 48_000);
    let keyframe = stream["keyframe_ms"].as_u64().unwrap();
    assert!((900..1100).contains(&keyframe), "{stream}");
    let kbps = stream["kbps"].as_u64().unwrap();
    assert!((20..20_000).contains(&kbps), "{stream}");

    let [websocket, hls, progressive] = sessions.try_into().unwrap();
    assert_eq!(websocket["tag"], "viewer <1>");
    assert_eq!(websocket["client"], "127.0.0.1");
    assert_eq!(progressive["client"], "127.0.0.7");
    assert!(
        websocket["behind"].is_u64() && websocket["skips"] == 0,
        "{websocket}"
    );
    assert!(hls["behind"].is_null(), "{hls}");

    // The filter is the server's.
    for (query, doors) in [
        ("?q=viewer%20%3C", vec!["websocket"]),
        ("?q=127.0.0.7", vec!["stream.mp4"]),
        ("?q=nothing", vec![]),
    ] {
        let (total, rows) = console.watch(&login, query, |snapshot| {
            let rows = snapshot["sessions"]["rows"].as_array()?.clone();
            Some((snapshot["sessions"]["total"].clone(), rows))
        });
        assert_eq!(total, 3);
        let found: Vec<&str> = rows
            .iter()
            .map(|row| row["door"].as_str().unwrap())
            .collect();
        assert_eq!(found, doors, "{query}");
    }

    let id = |row: &Value| row["id"].as_u64().unwrap();
    assert!(console.kick(&login, id(&websocket)));
    let end = viewer.until(|message| matches!(message, Received::Closed(_)));
    assert!(matches!(end.last(), Some(Received::Closed(4901))));
    assert!(console.kick(&login, id(&hls)));
    let answer = site.get(&playlist, &[]);
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (403, &json!(4901))
    );
    assert!(console.kick(&login, id(&progressive)));
    let _ = download.rest();
    assert!(
        !console.kick(&login, id(&websocket)),
        "it has ended already"
    );
    console.watch(&login, "", |snapshot| {
        (snapshot["sessions"]["total"] == 0).then_some(())
    });
    assert!(
        site.server
            .log()
            .contains("a session is ended by the console")
    );
}

#[test]
fn a_viewer_who_takes_nothing_is_shown_behind() {
    let site = Site::start_with("", CONSOLE);
    // Enough to fill what the two kernels hold in a second or two.
    let options = publisher::Options {
        video_kbits: 6000,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&site.origin, STREAM, &options);
    let console = Console::of(&site.server);
    let login = console.log_in();
    let token = site.mint(&json!({}));
    let url = (site.server).websocket_url(&site.origin.url("live"), STREAM, &token);
    let mut viewer = Viewer::connect(&url);
    viewer.until(|message| matches!(message, Received::Binary(_)));
    // It reads no more.
    let behind = console.watch(&login, "", |snapshot| {
        let session = row(snapshot, "sessions", "door", "websocket")?;
        session["behind"].as_u64().filter(|behind| *behind > 0)
    });
    // Not more than is held for it (limits.max-lag-bytes) and what its socket was given.
    assert!(behind < 8 << 20, "{behind}");
}

#[test]
fn a_denial_is_shown_with_its_reason_and_without_its_token() {
    let site = Site::start_with("", CONSOLE);
    let console = Console::of(&site.server);
    let login = console.log_in();
    let token = site.mint(&json!({"tag": "a"}));
    let mut altered = token.clone();
    altered.tag = "b".to_owned();
    let url = (site.server).websocket_url(&site.origin.url("live"), STREAM, &altered);
    let mut viewer = Viewer::connect(&url);
    assert!(matches!(viewer.next(), Received::Closed(4901)));
    let mut expired = token.clone();
    expired.token = String::new();
    assert_eq!(site.get(&site.playlist_url(&expired), &[]).status, 403);
    assert_eq!(
        site.get(&site.url("/h5live/authhttp/stream.mp4", &altered), &[])
            .status,
        403
    );

    let snapshot = console.watch(&login, "", |snapshot| {
        (snapshot["denials"].as_array()?.len() == 3).then(|| snapshot.clone())
    });
    let text = snapshot.to_string();
    assert!(!text.contains(&token.token), "{text}");
    // The latest first.
    let rows = [
        (0, "stream.mp4", "mismatch", 4901),
        (1, "hls", "token_missing", 4903),
        (2, "websocket", "mismatch", 4901),
    ];
    for (index, door, code, close) in rows {
        let denial = &snapshot["denials"][index];
        assert_eq!(denial["door"], door, "{text}");
        assert_eq!(
            (&denial["code"], &denial["close"]),
            (&json!(code), &json!(close))
        );
        assert_eq!(
            (&denial["stream"], &denial["client"]),
            (&json!(STREAM), &json!("127.0.0.1"))
        );
    }
    let reason = snapshot["denials"][2]["reason"].as_str().unwrap();
    assert!(reason.contains("not minted for this stream"), "{reason}");
}

#[test]
fn an_origin_without_the_stream_is_told_as_lost() {
    let site = Site::start_with("", CONSOLE);
    let console = Console::of(&site.server);
    let login = console.log_in();
    let token = site.mint(&json!({}));
    let url = (site.server).websocket_url(&site.origin.url("live"), STREAM, &token);
    let _viewer = Viewer::connect(&url);
    let state = |wanted: &str| {
        console.watch(&login, "", |snapshot| {
            let stream = row(snapshot, "streams", "stream", STREAM)?;
            (stream["state"] == wanted).then(|| stream.clone())
        })
    };
    assert_eq!(state("pulling")["mime"], Value::Null);
    let lost = state("lost");
    assert!(lost["failures"][0].as_u64() >= Some(1), "{lost}");
    let _publisher = site.publish();
    assert_eq!(state("playing")["viewers"], 1);
}

#[test]
fn a_form_that_cannot_be_minted_names_its_field() {
    let site = Site::start_with("", CONSOLE);
    let console = Console::of(&site.server);
    let login = console.log_in();
    let rows = [
        (json!({"scope": ""}), "scope"),
        (json!({"scope": "ABCDE-unknown"}), "scope"),
        (json!({"scope": STREAM, "expires": "soon"}), "expires"),
        (json!({"scope": STREAM, "expires": "400days"}), "expires"),
        (json!({"scope": STREAM, "ip": "300.1.1.1"}), "ip"),
        (
            json!({"scope": STREAM, "referer": "https://example.com/"}),
            "referer",
        ),
        (json!({"scope": STREAM, "tag": "a\u{7}"}), "tag"),
        (json!({"scope": "ABCDE", "stream": "OTHER-demo"}), "stream"),
    ];
    for (wish, field) in rows {
        let (status, answer) = console.post(&login, "mint", &wish);
        assert_eq!(
            (status, &answer["field"]),
            (400, &json!(field)),
            "{wish}: {answer}"
        );
        assert!(answer["message"].as_str().unwrap().len() > 10);
    }
    assert_eq!(console.post(&login, "mint", &json!({"scoop": ""})).0, 400);
    let wish = json!({"scope": "ABCDE", "stream": STREAM, "expires": "2h", "ip": "127.0.0.1",
        "referer": "www.example.com", "tag": "it's \"1\""});
    let (status, answer) = console.post(&login, "mint", &wish);
    assert_eq!(status, 200, "{answer}");
    let text = |field: &str| answer[field].as_str().unwrap().to_owned();
    assert!(text("page").starts_with(&format!("{}/?h5live.server", site.server.base())));
    assert!(
        text("page").contains("h5live.security.options=31"),
        "{answer}"
    );
    assert!(
        text("curl").contains(r#""tag": "it'\''s \"1\"""#),
        "{answer}"
    );
    assert!(
        text("snippet").contains("/h5live/authhttp/playlist.m3u8"),
        "{answer}"
    );
    assert!(text("qr").starts_with("data:image/svg+xml;base64,"));
    // What was minted is in no log.
    let (_, token) = answer["page"]
        .as_str()
        .unwrap()
        .split_once("security.token=")
        .unwrap();
    let token = token.split('&').next().unwrap();
    wait_until("the log", || {
        site.server
            .log()
            .contains("minted by the console")
            .then_some(())
    });
    assert!(!site.server.log().contains(token));
}
