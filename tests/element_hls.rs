//! How the element's properties cut and bound what HLS players get. Not covered: the playlists' own rules
//! (hls_rules.rs), players (hls_playback.rs, hls_browser.rs).
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/playlist.rs"]
mod playlist;
#[path = "support/told.rs"]
mod told;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use bench::{Bench, FRAME, PATIENCE, picture};
use gstreamer::prelude::*;
use playlist::Playlist;
use told::query;

const STREAM: &str = "ABCDE-demo";
/// A GOP of a second.
const GOP: u64 = 30;

/// The playlist, which is waited for until it has segments.
fn playlist(port: u16) -> Playlist {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let query = query(STREAM, None, None);
    let request = format!(
        "GET /h5live/authhttp/playlist.m3u8?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    Playlist::read(body)
}

/// What two playlists of a running stream come to: one as soon as it has one, one after 30 GOPs more.
fn playlists(bench: &Bench) -> [Playlist; 2] {
    let mut pad = bench.video();
    let port = bench.port();
    let mut frames = 0..;
    let mut push = || {
        let n = frames.next().unwrap();
        pad.push(picture(n * FRAME, n % GOP == 0)).unwrap();
    };
    let until = Instant::now() + PATIENCE;
    let first = std::thread::spawn(move || playlist(port));
    // Segments are only made once somebody asks for them.
    while !first.is_finished() && Instant::now() < until {
        push();
    }
    let first = first.join().unwrap();
    (0..30 * GOP).for_each(|_| push());
    [first, playlist(port)]
}

#[test]
fn parts_last_as_long_as_is_set_and_so_many_segments_are_listed() {
    let bench = Bench::new();
    bench.element.set_property("hls-part-duration", 150u32);
    bench.element.set_property("hls-window", 7u32);
    let [first, later] = playlists(&bench);
    later.check_after(&first);
    for playlist in [&first, &later] {
        playlist.check();
        assert_eq!(playlist.part_target, 0.15);
        let parts = playlist.segments.iter().flat_map(|segment| &segment.parts);
        let longest = parts.map(|part| part.duration).fold(0.0, f64::max);
        // Four frames of a thirtieth of a second; a fifth would be too much.
        assert!((0.13..=0.15).contains(&longest), "{longest}");
    }
    let whole = (later.segments.iter()).filter(|segment| segment.uri.is_some());
    assert_eq!(whole.count(), 7);
    assert!(later.first > first.first);
}

#[test]
fn without_them_they_are_as_the_server_has_them() {
    let bench = Bench::new();
    let [_, later] = playlists(&bench);
    assert_eq!(later.part_target, 0.334);
    let whole = (later.segments.iter()).filter(|segment| segment.uri.is_some());
    assert_eq!(whole.count(), 12);
}
