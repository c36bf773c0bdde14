//! The three doors of a stream, asked by the byte: from an address, as a page, with a token.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::hls::Site;
use super::raw::{Raw, upgrade};
use super::server::Security;

/// This machine, as clients see themselves.
pub const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The same by another address.
pub const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What a viewer shows.
#[derive(Clone, Debug)]
pub struct Facts {
    pub stream: &'static str,
    pub token: Security,
    pub from: Ipv4Addr,
    /// `Origin`, where there is one.
    pub page: Option<&'static str>,
}

/// Every door by its name.
pub const DOORS: [&str; 3] = [
    "authstream",
    "authhttp/playlist.m3u8",
    "authhttp/stream.mp4",
];

/// Asks a door, as a player of its own: `open`, or the code that it refuses with, behind which nothing
/// comes.
pub fn ask(site: &Site, door: &str, facts: &Facts) -> String {
    // Or what one player has shown on its socket would count for the next.
    static PLAYERS: AtomicU32 = AtomicU32::new(1);
    let player = PLAYERS.fetch_add(1, Ordering::Relaxed).to_string();
    let path = format!("/h5live/{door}");
    let url = site.url_of(&path, facts.stream, &player, &facts.token);
    let target = url.strip_prefix(&site.server.base()).unwrap();
    let page = facts.page.map(|page| format!("Origin: {page}\r\n"));
    let page = page.unwrap_or_default();
    let mut client = Raw::connect_from(facts.from, site.server.port());
    if door == "authstream" {
        client.send(&upgrade(target.as_bytes(), &page));
        let told = client.outcome();
        return match told.strip_prefix("101 close ") {
            Some(code) => code.to_owned(),
            None => told.replace("101 onServerInfo", "open"),
        };
    }
    let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{page}Connection: close\r\n\r\n");
    client.send(head.as_bytes());
    let answer = client.answer().unwrap();
    if answer.status == 200 {
        return "open".to_owned();
    }
    assert_eq!(answer.status, 403, "{door}: {answer:?}");
    assert_eq!(client.rest(), b"", "{door}: behind the refusal");
    let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    error["error"]["code"].to_string()
}

/// Asks all doors, which must answer alike.
pub fn ask_all(site: &Site, facts: &Facts) -> String {
    let told = DOORS.map(|door| ask(site, door, facts));
    assert!(
        told.iter().all(|one| *one == told[0]),
        "{facts:?}: {told:?}"
    );
    told[0].clone()
}
