//! As many sessions at once as a token, or a tag of an organisation, may have: on all doors together, by
//! WebSocket, HLS and `stream.mp4`. ffmpeg → nginx-rtmp → h5live-server → viewers.
//!
//! Not covered: connections that die without a word and whose player comes by another address or page,
//! which are noticed by ping or stall as any others.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::hls::{STREAM, Site};
use support::process::wait_until;
use support::raw::Raw;
use support::server::Security;
use support::viewer::{Received, Viewer};

/// The promise is well below a second; a busy machine gets more here.
const PROMPTLY: Duration = Duration::from_secs(5);

const WEBSOCKET: &str = "/h5live/authstream";
const PLAYLIST: &str = "/h5live/authhttp/playlist.m3u8";
const DOWNLOAD: &str = "/h5live/authhttp/stream.mp4";

fn site(limits: &str) -> Site {
    Site::start_with("", &format!("[limits]\n{limits}\n"))
}

fn url(site: &Site, path: &str, player: &str, token: &Security) -> String {
    site.url_of(path, STREAM, player, token)
}

/// Comes by WebSocket.
fn connect(site: &Site, player: &str, token: &Security) -> Viewer {
    let url = url(site, WEBSOCKET, player, token);
    Viewer::connect(&url.replacen("http", "ws", 1))
}

/// Comes by WebSocket, and is let in.
fn watch(site: &Site, player: &str, token: &Security) -> Viewer {
    let mut viewer = connect(site, player, token);
    let first = viewer.next();
    assert!(first.is("onServerInfo"), "{player}: {first:?}");
    viewer
}

/// What becomes of somebody who comes by WebSocket: the close code, or 0.
fn verdict(site: &Site, player: &str, token: &Security) -> u16 {
    match connect(site, player, token).next() {
        Received::Closed(code) => code,
        _ => 0,
    }
}

/// The code that a viewer is closed with.
fn closed(viewer: &mut Viewer) -> Option<u16> {
    let deadline = Instant::now() + PROMPTLY;
    loop {
        match viewer.next_before(deadline)? {
            Received::Closed(code) => return Some(code),
            _ if Instant::now() > deadline => return None,
            _ => {}
        }
    }
}

/// What becomes of a player of HLS: status, and code where there is one.
fn playlist(site: &Site, player: &str, token: &Security) -> (u16, Value) {
    let answer = site.get(&url(site, PLAYLIST, player, token), &[]);
    match answer.status {
        200 => (200, Value::Null),
        status => (status, answer.json()["error"]["code"].clone()),
    }
}

fn download(site: &Site, player: &str, token: &Security) -> (u16, Raw) {
    let url = url(site, DOWNLOAD, player, token);
    site.begin(Ipv4Addr::LOCALHOST, &url, "")
}

#[test]
fn one_more_is_refused_on_every_door_until_one_has_left() {
    let site = site("sessions-per-token = 1");
    let _publisher = site.publish();
    let token = site.mint(&json!({"tag": "one"}));
    let other = site.mint(&json!({"tag": "two"}));
    let refused = |who: &str| {
        assert_eq!(verdict(&site, who, &token), 4503);
        assert_eq!(playlist(&site, who, &token), (503, json!(4503)));
        assert_eq!(download(&site, who, &token).0, 503);
        // A check alone is no session.
        let check = url(&site, WEBSOCKET, who, &token) + "&flags=checkandclose";
        let mut check = Viewer::connect(&check.replacen("http", "ws", 1));
        assert!(matches!(check.next(), Received::Closed(4200)));
    };

    let mut first = watch(&site, "1", &token);
    refused("2");
    assert_eq!(verdict(&site, "2", &other), 0, "another token is free");
    first.until(|message| matches!(message, Received::Binary(_)));
    drop(first);

    // A player of HLS is one session, however often it fetches.
    wait_until("the place is free again", || {
        (playlist(&site, "3", &token).0 == 200).then_some(())
    });
    assert_eq!(playlist(&site, "3", &token).0, 200);
    refused("4");
    // What it has beside the media does not count.
    let metadata = url(&site, WEBSOCKET, "3", &token) + "&flags=metastreamonly";
    let mut metadata = Viewer::connect(&metadata.replacen("http", "ws", 1));
    assert!(metadata.next().is("onServerInfo"));
    // Neither does a question for the head.
    let head = site.server.base();
    let target = url(&site, DOWNLOAD, "4", &token).replace(&head, "");
    let mut client = Raw::connect_from(Ipv4Addr::LOCALHOST, site.server.port());
    client.send(format!("HEAD {target} HTTP/1.1\r\nHost: play.test\r\n\r\n").as_bytes());
    assert_eq!(client.answer().unwrap().status, 200);

    // The same player by another door takes its own place.
    let (status, download) = download(&site, "3", &token);
    assert_eq!(status, 200);
    refused("5");
    drop(download);
    wait_until("the place is free again", || {
        (verdict(&site, "5", &token) == 0).then_some(())
    });
    assert!(site.server.log().contains("code=\"session_limit\""));
}

#[test]
fn a_player_that_comes_again_takes_its_own_place() {
    let site = site("sessions-per-token = 2");
    let token = site.mint(&json!({}));
    // As after a change of network: the old connections stay open and nobody closes them.
    let mut other = watch(&site, "1", &token);
    let mut dead = watch(&site, "2", &token);
    for _ in 0..3 {
        let again = watch(&site, "2", &token);
        assert_eq!(closed(&mut dead), Some(4901));
        dead = again;
    }
    assert_eq!(verdict(&site, "3", &token), 4503);
    // From another address it would be somebody else.
    let url = url(&site, PLAYLIST, "2", &token);
    assert_eq!(site.get_from("127.0.0.2", &url).status, 503);
    assert!(other.next_before(Instant::now()).is_none(), "it plays on");
}

#[test]
fn the_oldest_is_ended_on_every_door_where_the_newest_wins() {
    let limits = "sessions-per-token = 1\non-session-limit = \"end-oldest\"";
    let site = site(&format!("{limits}\n[metrics]\nlisten = \"127.0.0.1:0\""));
    let _publisher = site.publish();
    let token = site.mint(&json!({}));
    let mut socket = watch(&site, "1", &token);
    socket.until(|message| matches!(message, Received::Binary(_)));

    assert_eq!(playlist(&site, "2", &token).0, 200);
    assert_eq!(closed(&mut socket), Some(4901));

    let (status, mut file) = download(&site, "3", &token);
    assert_eq!(status, 200);
    wait_until("the player of HLS is told", || {
        (playlist(&site, "2", &token) == (403, json!(4901))).then_some(())
    });
    // It polls, and does not come back for that.
    assert_eq!(playlist(&site, "2", &token), (403, json!(4901)));

    let mut socket = watch(&site, "4", &token);
    let (end, ended) = mpsc::channel();
    thread::spawn(move || {
        file.rest();
        let _ = end.send(());
    });
    ended.recv_timeout(PROMPTLY).expect("the download ends");
    // The same player once more, by HLS.
    assert_eq!(playlist(&site, "4", &token).0, 200);
    assert_eq!(closed(&mut socket), Some(4901));
    assert_eq!(playlist(&site, "4", &token).0, 200);
    let port = site.server.port_beside("metrics at http://");
    let metrics = site.get(&format!("http://127.0.0.1:{port}/metrics"), &[]);
    let counted = "h5live_sessions_ended_total{reason=\"replaced\"} 4";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[test]
fn a_tag_counts_within_its_organisation_whatever_the_token() {
    let site = site("sessions-per-tag = 1");
    let bob = json!({"tag": "bob"});
    let organisation = site.server.mint(&json!({"orga": "ABCDE", "tag": "bob"}));
    let _first = watch(&site, "1", &site.mint(&bob));
    assert_eq!(verdict(&site, "2", &organisation), 4503);
    assert_eq!(verdict(&site, "2", &site.mint(&json!({"tag": "eve"}))), 0);
    let untagged = site.mint(&json!({}));
    let (_one, _two) = (watch(&site, "2", &untagged), watch(&site, "3", &untagged));

    // Another organisation may call somebody the same.
    let key = site.server.add_account("OTHER");
    let wish = json!({"orga": "OTHER", "tag": "bob"});
    let theirs = site.server.mint_with_key(&key, &wish);
    let url = site.url_of(WEBSOCKET, "OTHER-demo", "9", &theirs);
    let mut viewer = Viewer::connect(&url.replacen("http", "ws", 1));
    assert!(viewer.next().is("onServerInfo"));
}

#[test]
fn a_renewal_moves_the_session_to_its_new_token() {
    let site = site("sessions-per-token = 1");
    let (old, new) = (
        site.mint(&json!({"tag": "old"})),
        site.mint(&json!({"tag": "new"})),
    );
    let mut viewer = watch(&site, "1", &old);
    let mut renew = |token: &Security| {
        viewer.say(
            &json!({"eventType": "onUpdateSource", "requestId": 1, "onUpdateSource": {
                "options": {}, "tag": "", "count": 1,
                "rtmp": {"url": site.origin.url("live"), "stream": STREAM},
                "security": {
                    "expires": token.expires, "tag": token.tag,
                    "token": token.token, "options": token.options,
                },
            }}),
        );
        let answer = |message: &Received| match message {
            Received::Event(name, _) => name.starts_with("onUpdateSource"),
            _ => false,
        };
        match viewer.until(answer).pop() {
            Some(Received::Event(_, payload)) => payload["code"].clone(),
            other => panic!("{other:?}"),
        }
    };
    // With the token that it has, nothing moves.
    assert_eq!(renew(&old), Value::Null);
    assert_eq!(verdict(&site, "2", &old), 4503);
    assert_eq!(renew(&new), Value::Null);
    assert_eq!(verdict(&site, "2", &new), 4503);
    let _other = watch(&site, "2", &old);
    // Back it can't: somebody else is there, and it goes on as it was.
    assert_eq!(renew(&old), json!(4503));
    assert_eq!(verdict(&site, "3", &new), 4503);
}
