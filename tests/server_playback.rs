//! ffmpeg → nginx-rtmp → h5live-server → WebSocket clients: what arrives is what was published, readers
//! that stand still take nothing from the others, and the end of the server is told.
//!
//! Not covered: browsers (`server_page.rs`), how an origin is lost and found (`origin_pull.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::origin::Origin;
use support::process::{Process, wait_until};
use support::publisher::{self, Publisher};
use support::server::{Options, Server};
use support::viewer::{Received, Viewer, media};
use tempfile::TempDir;

const STREAM: &str = "ABCDE-demo";

struct Site {
    server: Server,
    origin: Origin,
    url: String,
}

impl Site {
    fn start(more: &str) -> Site {
        Site::start_with("", more)
    }

    fn start_with(lines: &str, more: &str) -> Site {
        let origin = Origin::start();
        let server = Server::start(&Options {
            server: lines.to_owned(),
            more: more.to_owned(),
            ..Options::with_origin(&origin.url("live"))
        });
        server.register(STREAM, "the secret of these viewers");
        let token = server.mint(&json!({"streamname": STREAM, "tag": "viewer"}));
        let url = server.websocket_url(&origin.url("live"), STREAM, &token);
        Site {
            server,
            origin,
            url,
        }
    }

    fn publish(&self) -> Publisher {
        Publisher::start(&self.origin, STREAM, &publisher::Options::default())
    }
}

/// A line for each decoded frame: its time in milliseconds, and a hash of its picture.
fn frames(file: &Path) -> Vec<(i64, String)> {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-i"])
        .arg(file)
        .args(["-map", "0:v", "-fps_mode", "passthrough"])
        .args(["-enc_time_base", "1:1000", "-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffmpeg warns");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            (fields[2].parse().unwrap(), fields[5].to_owned())
        })
        .collect()
}

/// Eight seconds of H.264 and AAC, every picture another one.
fn make_clip(file: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg("testsrc2=size=320x180:rate=30")
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"])
        .args([
            "-t",
            "8",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
        ])
        .args([
            "-pix_fmt", "yuv420p", "-g", "30", "-c:a", "aac", "-f", "flv",
        ])
        .arg(file)
        .status()
        .expect("ffmpeg runs");
    assert!(status.success());
}

#[test]
fn what_arrives_is_what_was_published() {
    let site = Site::start("");
    let directory = TempDir::new().unwrap();
    let clip = directory.path().join("clip.flv");
    make_clip(&clip);
    let mut viewer = Viewer::connect(&site.url);
    assert!(viewer.next().is("onServerInfo"));

    let location = format!("{}/{STREAM}", site.origin.url("live"));
    let mut publish = Command::new("ffmpeg");
    publish
        .args([
            "-hide_banner",
            "-loglevel",
            "warning",
            "-nostdin",
            "-re",
            "-i",
        ])
        .arg(&clip)
        .args(["-c", "copy", "-f", "flv", &location]);
    let log = directory.path().join("publisher.log");
    let mut publisher = Process::start("ffmpeg", &mut publish, &log);
    let received = viewer.until(|message| {
        matches!(message, Received::Event(name, status)
            if name == "onStreamStatus" && status["status"] == "stopped")
    });
    assert!(publisher.wait_for_exit().success(), "{}", publisher.log());

    let file = directory.path().join("received.mp4");
    std::fs::write(&file, media(&received)).unwrap();
    let (published, arrived) = (frames(&clip), frames(&file));
    let missed = published.len() - arrived.len();
    assert_eq!(published.len(), 240);
    // The pull begins some time after the publisher; from then on nothing is missing.
    assert!(missed < 180, "{missed} frames are missing");
    let (published, arrived) = (&published[missed..], &arrived[..]);
    let pictures = |frames: &[(i64, String)]| -> Vec<String> {
        frames.iter().map(|(_, picture)| picture.clone()).collect()
    };
    assert_eq!(pictures(published), pictures(arrived));
    for (sent, came) in published.iter().zip(arrived) {
        let drift = (came.0 - arrived[0].0) - (sent.0 - published[0].0);
        assert!(drift.abs() <= 1, "{drift} ms at {} ms", sent.0);
    }

    // Every keyframe is announced by its own time, right before it.
    let announced = received
        .windows(2)
        .filter(|pair| pair[0].is("onRandomAccessPoint"))
        .inspect(|pair| {
            assert!(matches!(&pair[1], Received::Binary(bytes) if &bytes[4..8] == b"moof"))
        })
        .count();
    assert_eq!(announced, arrived.len().div_ceil(30));
    let names: Vec<&str> = received
        .iter()
        .filter_map(|message| match message {
            Received::Event(name, _) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert!(names.contains(&"onMetaData"), "{names:?}");
    let infos = names.iter().filter(|name| **name == "onStreamInfo").count();
    assert_eq!(infos, 1, "the stream begins once: {names:?}");
}

/// The sequence number of a fragment (ISO/IEC 14496-12, 8.8.5): `moof` begins with `mfhd`.
fn sequence(fragment: &[u8]) -> Option<u32> {
    (fragment.get(4..8)? == b"moof" && fragment.get(12..16)? == b"mfhd")
        .then(|| u32::from_be_bytes(fragment[20..24].try_into().unwrap()))
}

/// Reads fragments until one has that number, and gives the numbers of all.
fn read_up_to(url: &str, last: u32) -> Vec<u32> {
    let mut viewer = Viewer::connect(url);
    viewer
        .until(
            |message| matches!(message, Received::Binary(bytes) if sequence(bytes) >= Some(last)),
        )
        .iter()
        .filter_map(|message| match message {
            Received::Binary(bytes) => sequence(bytes),
            _ => None,
        })
        .collect()
}

/// Gets in, and never reads what comes then.
fn stand_still(url: &str) -> TcpStream {
    let address = url.strip_prefix("ws://").unwrap();
    let (authority, path) = address.split_once('/').unwrap();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    // So that the kernel takes little for it.
    socket.set_recv_buffer_size(4096).unwrap();
    let target: std::net::SocketAddr = authority.parse().unwrap();
    socket.connect(&target.into()).unwrap();
    let mut tcp = TcpStream::from(socket);
    write!(
        tcp,
        "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    .unwrap();
    let mut status = [0; 12];
    tcp.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 101");
    tcp
}

/// By either means the same: io_uring is required here, so a kernel without it fails.
#[test]
fn of_two_hundred_readers_twenty_that_never_read_take_nothing_from_the_others() {
    for means in ["off", "required"] {
        read_beside_those_that_do_not(&format!("io-uring = \"{means}\""));
    }
}

fn read_beside_those_that_do_not(lines: &str) {
    const READ: u32 = 300;
    let limits = "[limits]\nstall-timeout = \"3s\"\nmax-lag-bytes = 262144\n";
    let site = Site::start_with(lines, limits);
    let options = publisher::Options {
        video_kbits: 1500,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&site.origin, STREAM, &options);
    let still: Vec<TcpStream> = (0..20).map(|_| stand_still(&site.url)).collect();
    let numbers: Vec<Vec<u32>> = thread::scope(|scope| {
        let readers: Vec<_> = (0..180)
            .map(|_| scope.spawn(|| read_up_to(&site.url, READ)))
            .collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect()
    });
    for numbers in numbers {
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        assert_eq!(numbers, (first..=last).collect::<Vec<_>>());
    }
    assert_eq!(site.origin.plays(STREAM), 1, "one pull for all");
    // They are let go, not fed for ever: what was sent to them before fits in the kernel's buffers.
    for mut tcp in still {
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut sent = Vec::new();
        // A reset is an end too.
        let _ = tcp.read_to_end(&mut sent);
        assert!(sent.len() < 1 << 20, "{} bytes", sent.len());
    }
}

#[test]
fn a_full_server_and_one_that_stops_say_so() {
    let mut site = Site::start("[limits]\nmax-viewers = 1\ndrain-timeout = \"5s\"\n");
    let _publisher = site.publish();
    let mut viewer = Viewer::connect(&site.url);
    viewer.until(|message| message.is("onRandomAccessPoint"));
    let mut other = Viewer::connect(&site.url);
    assert!(matches!(other.next(), Received::Closed(4503)));
    drop(other);

    site.server.terminate();
    let last = viewer.until(|message| matches!(message, Received::Closed(_)));
    assert!(matches!(last.last(), Some(Received::Closed(4503))));
    drop(viewer);
    let begun = Instant::now();
    wait_until("the server to end", || {
        (!site.server.is_running()).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(
        site.server.log().contains("stopped"),
        "{}",
        site.server.log()
    );
}

#[test]
fn a_place_is_free_again_when_its_viewer_leaves() {
    let site = Site::start("[limits]\nmax-viewers = 1\n");
    drop(Viewer::connect(&site.url));
    wait_until("a place", || {
        matches!(Viewer::connect(&site.url).next(), Received::Event(..)).then_some(())
    });
}

#[test]
fn a_stream_of_one_track_is_sent_as_such() {
    let site = Site::start("");
    for (stream, video, audio) in [("ABCDE-sound", false, true), ("ABCDE-silent", true, false)] {
        site.server.register(stream, "the secret of these viewers");
        let token = site.server.mint(&json!({"streamname": stream}));
        let options = publisher::Options {
            video,
            audio,
            ..publisher::Options::default()
        };
        let _publisher = Publisher::start(&site.origin, stream, &options);
        let url = (site.server).websocket_url(&site.origin.url("live"), stream, &token);
        let mut viewer = Viewer::connect(&url);
        let mut begun = viewer.until(|message| message.is("onStreamInfo"));
        let Some(Received::Event(_, info)) = begun.pop() else {
            panic!("no onStreamInfo");
        };
        assert_eq!(
            (&info["haveVideo"], &info["haveAudio"]),
            (&json!(video), &json!(audio)),
            "{info}"
        );
        let mut fragments = 0;
        viewer.until(|message| {
            fragments += usize::from(matches!(message, Received::Binary(_)));
            fragments > 30
        });
    }
}
