//! The sockets that a player opens before a native one plays: `flags=checkandclose` and `metastreamonly`,
//! what they are sent, and that a token of a page then plays without a Referer, there and nowhere else.
//!
//! Not covered: that an approval ends, which `http::hls`'s own tests show without waiting.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde_json::json;
use support::hls::{STREAM, Site};
use support::viewer::{Received, Viewer};

const PLAYLIST: &str = "/h5live/authhttp/playlist.m3u8";
const PROGRESSIVE: &str = "/h5live/authhttp/stream.mp4";
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[test]
fn a_token_of_a_page_plays_where_a_socket_has_shown_the_page() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({"referer": "demo.example.test"}));
    let page = Some("https://demo.example.test");
    for (flags, player) in [("checkandclose", "1"), ("metastreamonly", "2")] {
        let url = |path, player| site.url_of(path, STREAM, player, &token);
        let status = |from, path, player| site.begin(from, &url(path, player), "").0;
        for path in [PLAYLIST, PROGRESSIVE] {
            assert_eq!(status(HERE, path, player), 403, "{flags}, {path}: before");
        }
        let socket = format!("{}&flags={flags}", url("/h5live/authstream", player));
        let socket = socket.replacen("http", "ws", 1);
        // One that is refused approves nothing.
        let mut refused = Viewer::connect_from(&socket, Some("https://evil.example.test"));
        assert!(matches!(refused.next(), Received::Closed(4901)), "{flags}");
        assert_eq!(status(HERE, PLAYLIST, player), 403, "{flags}: refused");

        let mut viewer = Viewer::connect_from(&socket, page);
        match flags {
            "checkandclose" => assert!(matches!(viewer.next(), Received::Closed(4200))),
            _ => assert!(viewer.next().is("onServerInfo")),
        }
        for path in [PLAYLIST, PROGRESSIVE] {
            assert_eq!(
                status(ELSEWHERE, path, player),
                403,
                "{flags}, {path}: address"
            );
            assert_eq!(status(HERE, path, "3"), 403, "{flags}, {path}: player");
            let evil = "Referer: https://evil.example.test/\r\n";
            let (named, _) = site.begin(HERE, &url(path, player), evil);
            assert_eq!(named, 403, "{flags}, {path}: page");
            assert_eq!(status(HERE, path, player), 200, "{flags}, {path}");
        }
    }
}

#[test]
fn a_socket_for_metadata_gets_nothing_else() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({}));
    let url = site
        .server
        .websocket_url(&site.origin.url("live"), STREAM, &token);
    let mut all = Viewer::connect(&url);
    let mut metadata = Viewer::connect(&format!("{url}&flags=metastreamonly"));
    let first = metadata.until(|message| message.is("onMetaData"));
    let names = first.iter().map(|message| match message {
        Received::Event(name, _) => name.as_str(),
        _ => "media",
    });
    assert_eq!(names.collect::<Vec<_>>(), ["onServerInfo", "onMetaData"]);
    // Sixty frames later there is still nothing else.
    let mut frames = 0;
    all.until(|message| {
        frames += usize::from(matches!(message, Received::Binary(_)));
        frames > 60
    });
    let next = metadata.next_before(Instant::now() + Duration::from_millis(500));
    assert!(next.is_none_or(|message| message.is("onMetaData")));
}
