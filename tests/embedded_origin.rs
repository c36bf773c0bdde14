//! The RTMP origin in the server itself: ffmpeg and GStreamer publish to it with a stream's key, and
//! nobody else does.
//!
//! Not covered: OBS, whose stream key is what stands behind the last slash here.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use support::process::{free_port, wait_until};
use support::publisher::{Options, Publisher, Tool};
use support::server::{self, Server};
use support::tape::{self, chunk, text};
use support::viewer::{Received, Viewer, media};
use tempfile::TempDir;

const STREAM: &str = "ABCDE-demo";
const KEY: &str = "a.publish.key-of_ABCDE~demo";

struct Site {
    server: Server,
    port: u16,
    _keys: TempDir,
}

impl Site {
    fn start() -> Site {
        let keys = TempDir::new().unwrap();
        let file = keys.path().join("demo.key");
        std::fs::write(&file, format!("{KEY}\n")).unwrap();
        let port = free_port();
        let more = format!(
            "[limits]\nmax-publishers = 4\nhandshake-timeout = \"2s\"\n[origin.embedded]\n\
             listen = \"127.0.0.1:{port}\"\nurls = [\"rtmp://ingest.example.test/live\"]\n\
             [[origin.embedded.streams]]\nname = \"{STREAM}\"\nkey-file = {file:?}\n"
        );
        let server = Server::start(&server::Options {
            more,
            environment: vec![("H5LIVE_LOG".to_owned(), "trace".to_owned())],
            ..server::Options::default()
        });
        server.register(STREAM, "the secret of these viewers");
        Site {
            server,
            port,
            _keys: keys,
        }
    }

    fn location(&self, rest: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{rest}", self.port)
    }

    fn viewer(&self) -> Viewer {
        let token = self.server.mint(&json!({"streamname": STREAM}));
        let url = self
            .server
            .websocket_url("rtmp://ingest.example.test/live", STREAM, &token);
        Viewer::connect(&url)
    }
}

fn published(viewer: &mut Viewer, fragments: usize) -> Vec<Received> {
    let mut seen = 0;
    viewer.until(|message| {
        seen += usize::from(matches!(message, Received::Binary(bytes) if &bytes[4..8] == b"moof"));
        seen == fragments
    })
}

#[test]
fn publishers_with_the_key_are_seen_and_come_back() {
    let site = Site::start();
    let mut viewer = site.viewer();
    assert!(viewer.next().is("onServerInfo"));
    for tool in [Tool::Ffmpeg, Tool::GStreamer] {
        let options = Options {
            tool,
            ..Options::default()
        };
        let location = site.location(&format!("live/{STREAM}?key={KEY}"));
        let publisher = Publisher::start_at(&location, &options);
        let received = published(&mut viewer, 60);
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("received.mp4");
        std::fs::write(&file, media(&received)).unwrap();
        let decoded = std::process::Command::new("ffmpeg")
            .args(["-v", "warning", "-nostdin", "-i"])
            .arg(&file)
            // A publisher may give two frames one time, which the null output would complain of.
            .args(["-vf", "setpts=N/30/TB", "-af", "asetpts=N/SR/TB"])
            .args(["-fps_mode", "passthrough", "-f", "null", "-"])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&decoded.stderr), "", "{tool:?}");
        let info = received.iter().find_map(|message| match message {
            Received::Event(name, info) if name == "onStreamInfo" => Some(info.clone()),
            _ => None,
        });
        let video = &info.unwrap()["videoInfo"];
        assert_eq!(
            (&video["width"], &video["height"]),
            (&json!(640), &json!(360)),
            "{tool:?}"
        );

        // A second publisher of the same stream is sent away, and takes nothing from the first.
        let mut second = Publisher::start_at(&location, &options);
        wait_until("the second publisher to end", || {
            (!second.is_running()).then_some(())
        });
        published(&mut viewer, 10);
        publisher.stop();
        viewer.until(|message| message.is("onStreamStatus"));
    }
}

#[test]
fn whoever_has_no_key_publishes_nothing() {
    let site = Site::start();
    let rows = [
        ("no key", format!("live/{STREAM}")),
        (
            "another key",
            format!("live/{STREAM}?key=a.publish.key-of_ABCDE~other"),
        ),
        ("an empty one", format!("live/{STREAM}?key=")),
        ("another stream", format!("live/ABCDE-other?key={KEY}")),
        ("another application", format!("other/{STREAM}?key={KEY}")),
        ("no stream name", format!("live/demo?key={KEY}")),
    ];
    for (name, rest) in rows {
        let mut publisher = Publisher::start_at(&site.location(&rest), &Options::default());
        wait_until(name, || (!publisher.is_running()).then_some(()));
        let log = site.server.log();
        assert!(!log.contains("published source"), "{name}: {log}");
    }
    let log = site.server.log();
    assert_eq!(log.matches("a publisher is sent away").count(), 6, "{log}");
    assert!(!log.contains(KEY) && !log.contains("key-of_ABCDE"), "{log}");
}

#[test]
fn connections_that_publish_nothing_are_closed_and_cost_nothing() {
    let site = Site::start();
    let connect = || {
        let tcp = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        tcp
    };
    // As many as there are places: silent, garbage, cut off in the handshake, and half of it.
    let mut idle: Vec<TcpStream> = (0..4).map(|_| connect()).collect();
    idle[1].write_all(&[0xff; 5000]).unwrap();
    idle[2].write_all(&[3; 100]).unwrap();
    idle[2].shutdown(std::net::Shutdown::Write).unwrap();
    idle[3].write_all(&[3; 1537]).unwrap();
    let begun = Instant::now();
    for mut tcp in idle {
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest);
    }
    assert!(begun.elapsed() < Duration::from_secs(15));
    let location = site.location(&format!("live/{STREAM}?key={KEY}"));
    let _publisher = Publisher::start_at(&location, &Options::default());
    published(&mut site.viewer(), 30);
}

/// Anybody may send these, without a key.
#[test]
fn what_no_publisher_would_send_harms_nobody() {
    let site = Site::start();
    let number = [0; 9];
    let nested = [10, 0, 0, 0, 1].repeat(11_000);
    let command = |values: &[&[u8]]| chunk(3, 20, 0, 0, &values.concat());
    let rows = [
        ("deep", command(&[&text("connect"), &number, &nested, &[5]])),
        ("cut off", command(&[&text("connect"), &number, &[3, 0, 9]])),
        ("too short", command(&[&text("connect")])),
        ("empty", chunk(3, 20, 0, 0, &[])),
        (
            "too long",
            command(&[&text("connect"), &number, &text(&"x".repeat(60_000))]),
        ),
        ("no chunk", vec![0xc3]),
    ];
    for (name, bytes) in rows {
        let mut tcp = tape::connect(site.port);
        tcp.write_all(&chunk(2, 1, 0, 0, &4096u32.to_be_bytes()))
            .unwrap();
        tcp.write_all(&bytes).unwrap();
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = tcp.read_to_end(&mut rest);
        let accepted = rest.windows(7).any(|part| part == b"_result");
        assert!(!accepted, "{name}");
    }
    // A message that another follows before its end, and data of nobody.
    let mut tcp = tape::connect(site.port);
    tcp.write_all(&chunk(3, 20, 0, 0, &[0; 200])[..140])
        .unwrap();
    tcp.write_all(&chunk(3, 18, 0, 0, &text("@setDataFrame")))
        .unwrap();
    let location = site.location(&format!("live/{STREAM}?key={KEY}"));
    let _publisher = Publisher::start_at(&location, &Options::default());
    published(&mut site.viewer(), 30);
    assert!(!site.server.log().contains("panicked"));
}
