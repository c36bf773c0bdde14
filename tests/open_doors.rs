//! The open doors: what the operator declares open plays without a token, there and only there.
//!
//! Not covered: every spelling of the configuration (`token::verify::open`, `config`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::Ipv4Addr;

use serde_json::json;
use support::hls::{STREAM, Site};
use support::playlist::Playlist;
use support::raw::{Raw, upgrade};
use support::server::Security;
use support::viewer::{Received, Viewer};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const OPEN: [&str; 4] = [
    "/h5live/stream",
    "/h5live/stream/",
    "/h5live/stream.mp4",
    "/h5live/stream/stream.mp4",
];
const GATED: [&str; 4] = [
    "/h5live/authstream",
    "/h5live/authstream/",
    "/h5live/authstream.mp4",
    "/h5live/authstream/stream.mp4",
];

fn nothing() -> Security {
    Security {
        expires: String::new(),
        tag: String::new(),
        token: String::new(),
        options: String::new(),
    }
}

/// What a WebSocket is told first.
fn socket(site: &Site, path: &str, stream: &str, token: &Security) -> String {
    let url = site.url_of(path, stream, "1", token);
    let target = url.strip_prefix(&site.server.base()).unwrap();
    let mut client = Raw::connect(site.server.port());
    client.send(&upgrade(target.as_bytes(), ""));
    client.outcome()
}

fn fetch(site: &Site, path: &str, stream: &str, token: &Security) -> u16 {
    let url = site.url_of(path, stream, "1", token);
    site.begin(HERE, &url, "").0
}

#[test]
fn what_is_declared_open_plays_without_a_token() {
    let site = Site::start_with("open-streams = [\"ABCDE-demo\", \"PUBLIC-*\"]", "");
    let _publisher = site.publish();
    for path in OPEN {
        let url = site.url_of(path, STREAM, "1", &nothing());
        let mut viewer = Viewer::connect(&url.replacen("http", "ws", 1));
        let all = viewer.until(|message| matches!(message, Received::Binary(_)));
        assert!(all[0].is("onServerInfo"), "{path}: {all:?}");
        assert!(
            all.iter().any(|message| message.is("onStreamInfo")),
            "{path}"
        );
        assert_eq!(
            socket(&site, path, "PUBLIC-a", &nothing()),
            "101 onServerInfo"
        );
    }

    assert_eq!(
        fetch(&site, "/h5live/http/stream.mp4", STREAM, &nothing()),
        200
    );

    let url = site.url_of("/h5live/http/playlist.m3u8", STREAM, "1", &nothing());
    let playlist = Playlist::read(&site.get(&url, &[]).text());
    let map = playlist.segments[0].map.clone().unwrap();
    let below = |door: &str| format!("{}/h5live/{door}/{map}", site.server.base());
    assert_eq!(&site.get(&below("http"), &[]).body[4..8], b"ftyp");
    assert_eq!(site.get(&below("authhttp"), &[]).status, 404);
}

#[test]
fn gated_doors_stay_gated_for_open_streams() {
    let site = Site::start_with("open-streams = [\"ABCDE-demo\"]", "");
    let _publisher = site.publish();
    let garbage = Security {
        token: "x".to_owned(),
        options: "0".to_owned(),
        ..nothing()
    };
    for (token, code) in [(nothing(), 4903), (garbage, 4901)] {
        // The same query has a session at the open door, which must count for nothing at the other.
        for below in ["playlist.m3u8", "stream.mp4"] {
            let (open, gated) = (format!("http/{below}"), format!("authhttp/{below}"));
            let status = |path| fetch(&site, &format!("/h5live/{path}"), STREAM, &token);
            assert_eq!(status(open), 200, "{below}");
            assert_eq!(status(gated), 403, "{below}");
        }
        for path in GATED {
            let told = socket(&site, path, STREAM, &token);
            assert_eq!(told, format!("101 close {code}"), "{path}");
        }
    }
}

#[test]
fn all_else_is_closed_whatever_token_comes_along() {
    let rows = [
        ("", vec![STREAM, "ABCDE-other", "PUBLIC-a"]),
        (
            "open-streams = [\"ABCDE-demo\", \"PUBLIC-*\"]",
            vec!["ABCDE-other", "ABCDE-demo-2", "PUBLICA-a"],
        ),
    ];
    for (lines, streams) in rows {
        let site = Site::start_with(lines, "");
        site.server
            .register("ABCDE-other", "the secret of another stream");
        let token = site.server.mint(&json!({"streamname": "ABCDE-other"}));
        let before = site.origin.connections();
        for stream in streams {
            for token in [&nothing(), &token] {
                for path in OPEN {
                    let told = socket(&site, path, stream, token);
                    assert_eq!(told, "101 close 4901", "{lines} {path} {stream}");
                }
                for path in ["/h5live/http/playlist.m3u8", "/h5live/http/stream.mp4"] {
                    assert_eq!(
                        fetch(&site, path, stream, token),
                        403,
                        "{lines} {path} {stream}"
                    );
                }
            }
        }
        assert_eq!(site.origin.connections(), before, "an origin was dialled");
    }
}

#[test]
fn a_socket_of_an_open_door_changes_to_open_streams_only() {
    let site = Site::start_with("open-streams = [\"ABCDE-demo\", \"PUBLIC-*\"]", "");
    let _publisher = site.publish();
    let origin = site.origin.url("live");
    let url = site.url_of("/h5live/stream", STREAM, "1", &nothing());
    let mut viewer = Viewer::connect(&url.replacen("http", "ws", 1));
    let ask = |stream: &str, id: u32| {
        json!({"eventType": "onUpdateSource", "requestId": id,
            "onUpdateSource": {"tag": "", "count": 0, "rtmp": {"url": origin, "stream": stream}}})
    };
    let mut answer = |stream, id| {
        viewer.say(&ask(stream, id));
        let all = viewer.until(|message| {
            message.is("onUpdateSourceSuccess") || message.is("onUpdateSourceError")
        });
        match all.last() {
            Some(Received::Event(name, payload)) => format!("{name} {}", payload["code"]),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(answer("ABCDE-other", 1), "onUpdateSourceError 4901");
    assert_eq!(answer("PUBLIC-a", 2), "onUpdateSourceSuccess null");
    assert_eq!(answer(STREAM, 3), "onUpdateSourceSuccess null");
}
