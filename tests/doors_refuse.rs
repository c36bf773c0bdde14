//! One table: all doors × all denials. Nothing of the stream is sent, and no origin is pulled.
//!
//! Not covered: forgeries one by one (`attacks_*.rs`, `token::verify`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::Ipv4Addr;

use h5live::token::{Claims, Scope, Secret, StreamName, UnixSeconds, mint};
use serde_json::json;
use support::hls::{STREAM, Site};
use support::playlist::Playlist;
use support::raw::{Raw, upgrade};
use support::server::Security;

const SECRET: &str = "the secret of these segments";
const OTHER: &str = "ABCDE-other";
const ORGA: &str = "FGHIJ-demo";
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PAGE: &str = "https://demo.example.test";
const EVIL: &str = "https://demo.example.test.evil.test";

/// One way to be denied, and the code for it.
struct Denied {
    name: &'static str,
    stream: &'static str,
    token: Security,
    from: Ipv4Addr,
    page: &'static str,
    code: u16,
}

/// Asks one door; what it told, which for a denial is `403` or `101` and the code.
type Door = fn(&Site, &Denied) -> String;

const DOORS: [(&str, Door); 4] = [
    ("WebSocket", websocket),
    ("playlist", |site, denied| {
        fetch(site, "playlist.m3u8", denied)
    }),
    ("stream.mp4", |site, denied| {
        fetch(site, "stream.mp4", denied)
    }),
    ("verify", verify),
];

fn websocket(site: &Site, denied: &Denied) -> String {
    let url = site.url_of("/h5live/authstream", denied.stream, "1", &denied.token);
    let target = url.strip_prefix(&site.server.base()).unwrap();
    let mut client = Raw::connect_from(denied.from, site.server.port());
    client.send(&upgrade(
        target.as_bytes(),
        &format!("Origin: {}\r\n", denied.page),
    ));
    // Checks that nothing comes behind a close.
    let told = client.outcome();
    told.replace("close ", "")
}

fn fetch(site: &Site, below: &str, denied: &Denied) -> String {
    let path = format!("/h5live/authhttp/{below}");
    let url = site.url_of(&path, denied.stream, "1", &denied.token);
    let target = url.strip_prefix(&site.server.base()).unwrap();
    let mut client = Raw::connect_from(denied.from, site.server.port());
    let page = denied.page;
    let head =
        format!("GET {target} HTTP/1.1\r\nHost: h\r\nOrigin: {page}\r\nConnection: close\r\n\r\n");
    client.send(head.as_bytes());
    let answer = client.answer().unwrap();
    if answer.status == 200 {
        return "200".to_owned();
    }
    let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(client.rest(), b"", "{below}: behind the refusal");
    format!("{} {}", answer.status, error["error"]["code"])
}

fn verify(site: &Site, denied: &Denied) -> String {
    let url = site.url_of("/", denied.stream, "1", &denied.token);
    let target = url.strip_prefix(&site.server.base()).unwrap();
    let mut client = Raw::connect(site.server.port());
    let head = format!(
        "GET /secure/verify HTTP/1.1\r\nHost: h\r\nX-Original-URI: {target}\r\n\
         X-Forwarded-For: {}\r\nOrigin: {}\r\nConnection: close\r\n\r\n",
        denied.from, denied.page
    );
    client.send(head.as_bytes());
    let answer = client.answer().unwrap();
    assert_eq!(client.rest(), b"", "verify: a body");
    let code = answer.header("x-h5live-code").unwrap_or_default();
    format!("{} {code}", answer.status).trim().to_owned()
}

fn signed(change: impl FnOnce(&mut Claims)) -> Security {
    let mut claims = Claims::of(Scope::Stream(StreamName::parse(STREAM).unwrap()));
    change(&mut claims);
    mint(&Secret::new(SECRET).unwrap().key(), &claims).into()
}

fn denials(good: &Security) -> Vec<Denied> {
    let mut altered = good.clone();
    let last = altered.token.pop().unwrap();
    altered.token.push(if last == 'A' { 'E' } else { 'A' });
    let nothing = Security {
        expires: String::new(),
        tag: String::new(),
        token: String::new(),
        options: String::new(),
    };
    let past = UnixSeconds(1_591_747_200);
    let expired = signed(|claims| claims.expires = Some(past));
    let bound = || good.clone();
    let row = |name, stream, token, from, page, code| Denied {
        name,
        stream,
        token,
        from,
        page,
        code,
    };
    vec![
        row("no token", STREAM, nothing, HERE, PAGE, 4903),
        row("altered", STREAM, altered, HERE, PAGE, 4901),
        row("expired", STREAM, expired, HERE, PAGE, 4903),
        row("other stream", OTHER, bound(), HERE, PAGE, 4901),
        row("other address", STREAM, bound(), ELSEWHERE, PAGE, 4901),
        row("other page", STREAM, bound(), HERE, EVIL, 4901),
        row("other organisation", ORGA, bound(), HERE, PAGE, 4901),
    ]
}

#[test]
fn every_door_denies_what_must_be_denied() {
    let site = Site::start_with("trusted-proxies = [\"127.0.0.1/32\"]", "");
    let _publisher = site.publish();
    site.server.register(OTHER, "the secret of another stream");
    let good = site.mint(&json!({"ip": "127.0.0.1", "referer": "demo.example.test"}));
    let connections = site.origin.connections();
    for (door, ask) in DOORS {
        let first = if door == "WebSocket" { 101 } else { 403 };
        for denied in denials(&good) {
            let told = ask(&site, &denied);
            assert_eq!(
                told,
                format!("{first} {}", denied.code),
                "{door}: {}",
                denied.name
            );
        }
    }
    assert_eq!(
        site.origin.connections(),
        connections,
        "an origin was dialled"
    );
    assert_eq!(site.origin.plays(STREAM), 0);
    // The same token, where it belongs: so it was the denials that were denied.
    let let_in = Denied {
        name: "good",
        stream: STREAM,
        token: good,
        from: HERE,
        page: PAGE,
        code: 0,
    };
    let told = DOORS.map(|(_, ask)| ask(&site, &let_in));
    assert_eq!(told, ["101 onServerInfo", "200", "200", "204"]);
}

/// What lies below a playlist has no token: its capability is what is taken away, altered, used up and
/// carried off.
#[test]
fn every_resource_denies_what_must_be_denied() {
    let site = Site::start();
    let _publisher = site.publish();
    let good = site.mint(&json!({"ip": "127.0.0.1", "referer": "demo.example.test"}));
    let page = [("Origin", PAGE)];
    let playlist = Playlist::read(&site.get(&site.playlist_url(&good), &page).text());
    let map = playlist.segments[0].map.clone().unwrap();
    let (capability, name) = map.split_once('/').unwrap();
    let other = match capability.strip_prefix('A') {
        Some(rest) => format!("B{rest}"),
        None => format!("A{}", &capability[1..]),
    };
    let below = |rest: &str| format!("{}/h5live/authhttp/{rest}", site.server.base());
    let rows = [
        ("no capability", HERE, below(name), PAGE),
        ("altered", HERE, below(&format!("{other}/{name}")), PAGE),
        (
            "a token instead",
            HERE,
            below(&format!("{}/{name}", good.token)),
            PAGE,
        ),
        (
            "another door",
            HERE,
            below(&map).replace("authhttp", "http"),
            PAGE,
        ),
        ("gone", HERE, below(&format!("{capability}/1.m4s")), PAGE),
        ("other address", ELSEWHERE, below(&map), PAGE),
        ("other page", HERE, below(&map), EVIL),
    ];
    for (row, from, url, page) in rows {
        let (status, mut client) = site.begin(
            from,
            &url,
            &format!("Origin: {page}\r\nConnection: close\r\n"),
        );
        assert_eq!(status, 404, "{row}");
        assert_eq!(client.rest(), b"", "{row}");
    }
    assert_eq!(&site.get(&below(&map), &page).body[4..8], b"ftyp");
}
