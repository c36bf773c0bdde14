//! Whole HLS segments lie in files in memory, and their pages are handed on to plain sockets: the bytes are
//! those of the parts, whoever reads how slowly, and the files go with the viewers.
//!
//! Not covered: what it saves (`benches/peers`).
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use socket2::SockRef;
use support::hls::{STREAM, Site};
use support::playlist::Playlist;
use support::process::wait_until;
use support::publisher::{self, Publisher};

const KBITS: u32 = 6000;

/// The files in memory that the server has.
fn files(site: &Site) -> usize {
    let all = std::fs::read_dir(format!("/proc/{}/fd", site.server.id())).unwrap();
    let names = all.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    names
        .filter(|name| name.to_string_lossy().contains("memfd:h5live-segment"))
        .count()
}

/// One answer's body from a connection that stays open.
fn body(stream: &mut TcpStream, path: &str, mut pause: impl FnMut()) -> Vec<u8> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: play.test\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    for piece in body.chunks_mut(10_000) {
        pause();
        stream.read_exact(piece).unwrap();
    }
    body
}

#[test]
fn a_segment_is_its_parts_to_the_quick_and_to_the_slow_and_its_file_goes() {
    let site = Site::start();
    let options = publisher::Options {
        video_kbits: KBITS,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&site.origin, STREAM, &options);
    let url = site.playlist_url(&site.mint(&json!({})));
    assert_eq!(files(&site), 0, "nobody watches");
    let playlist = Playlist::read(&site.get(&url, &[]).text());
    let segment = &playlist.segments[playlist.segments.len() - 2];
    let uri = segment.uri.as_ref().expect("only the last may be open");
    let path = |uri: &str| format!("/h5live/authhttp/{uri}");
    assert!(files(&site) >= 2, "{} files", files(&site));

    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", site.server.port())).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        stream
    };
    let (mut quick, mut slow) = (connect(), connect());
    // So that the server has to wait for room many times.
    SockRef::from(&slow)
        .set_recv_buffer_size(16 * 1024)
        .unwrap();
    let whole = body(&mut quick, &path(uri), || {});
    assert!(whole.len() > 200_000, "{} bytes", whole.len());
    let mut parts = Vec::new();
    for part in &segment.parts {
        parts.extend(body(&mut quick, &path(&part.uri), || {}));
    }
    assert!(parts == whole, "a segment is its parts");
    let pause = || std::thread::sleep(Duration::from_millis(1));
    let read = body(&mut slow, &path(uri), pause);
    assert!(read == whole, "the slow one reads something else");
    // One who goes in the middle of it is nothing to the others.
    let mut gone = connect();
    write!(
        gone,
        "GET {} HTTP/1.1\r\nHost: play.test\r\n\r\n",
        path(uri)
    )
    .unwrap();
    gone.read_exact(&mut [0; 1000]).unwrap();
    drop(gone);
    assert!(body(&mut quick, &path(uri), || {}) == whole);

    let revoked = site
        .server
        .post("/secure/revoke", &json!({"streamname": STREAM}));
    assert_eq!(revoked.0, 200, "{}", revoked.1);
    wait_until("the files to go with their viewers", || {
        (files(&site) == 0).then_some(())
    });
}
