//! The demo prints what it promises without a terminal, takes a publisher's own stream, and leaves no
//! process behind.
//!
//! Does not cover that its pages play: the browser tests do that, against servers of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::process::{Process, accepts, free_port, wait_until};
use support::publisher::{Options, Publisher};
use support::server::agent;
use support::viewer::{Received, Viewer};
use tempfile::TempDir;
use url::Url;
use url::form_urlencoded::Serializer;

/// A cold build of this workspace is part of what is waited for.
const BUILD_PATIENCE: Duration = Duration::from_secs(1800);

struct Demo {
    process: Process,
    port: u16,
    rtmp_port: u16,
    directory: TempDir,
}

impl Demo {
    /// Starts the demo from what this build has compiled, and waits until it has printed everything.
    fn start() -> Demo {
        let directory = TempDir::new().unwrap();
        let (port, rtmp_port) = (free_port(), free_port());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo/run");
        let process = Process::start(
            "the demo",
            Command::new(script)
                .env("DEMO_PROFILE", "dev")
                .env("DEMO_PORT", port.to_string())
                .env("DEMO_RTMP_PORT", rtmp_port.to_string())
                .env("TMPDIR", directory.path()),
            &directory.path().join("demo.log"),
        );
        let mut demo = Demo {
            process,
            port,
            rtmp_port,
            directory,
        };
        let deadline = Instant::now() + BUILD_PATIENCE;
        while demo.line("own").is_none() {
            let ended = demo.process.exited();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{}",
                demo.process.log()
            );
            thread::sleep(Duration::from_millis(50));
        }
        demo
    }

    fn line(&self, name: &str) -> Option<String> {
        let log = self.process.log();
        let found = log
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.map(str::to_owned)
    }

    /// The processes that the demo has started, as name and id.
    fn children(&self) -> Vec<(String, u32)> {
        let parent = self.process.id().to_string();
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
                let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
                (rest.split_whitespace().nth(1)? == parent).then(|| (name.to_owned(), id))
            })
            .collect()
    }

    /// Panics unless nothing is left of the demo once it has ended.
    fn assert_nothing_is_left(&self, children: &[(String, u32)]) {
        for (name, id) in children {
            wait_until(&format!("{name} to be gone"), || {
                (!Path::new(&format!("/proc/{id}")).exists()).then_some(())
            });
        }
        assert!(!accepts(self.port) && !accepts(self.rtmp_port));
        let left: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name != "demo.log")
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What the page behind a URL connects to.
fn websocket(page: &str) -> String {
    let page = Url::parse(page).unwrap();
    let mut query = Serializer::new(String::new());
    let mut door = String::new();
    for (name, value) in page.query_pairs() {
        match name.strip_prefix("h5live.").unwrap() {
            "server.websocket" => door = value.into_owned(),
            "rtmp.url" => drop(query.append_pair("url", &value)),
            "rtmp.streamname" => drop(query.append_pair("stream", &value)),
            name => {
                let name = name.strip_prefix("security.").unwrap();
                query.append_pair(name, &value);
            }
        }
    }
    format!("{door}?{}", query.finish())
}

#[test]
fn the_demo_prints_what_it_promises_and_ends_on_sigterm() {
    let mut demo = Demo::start();
    let base = format!("http://127.0.0.1:{}", demo.port);
    assert_eq!(demo.line("api"), Some(base.clone()));
    assert!(demo.line("api-key").is_some_and(|key| key.len() >= 22));
    let pages = ["valid", "altered", "expired"].map(|name| demo.line(name).expect(name));
    for page in &pages {
        assert!(
            page.starts_with(&format!("{base}/?h5live.server.websocket=ws%3A%2F%2F")),
            "{page}"
        );
        assert_eq!(agent().get(page).call().unwrap().status(), 200);
    }
    assert!(pages[0] != pages[1] && pages[0].len() == pages[1].len());
    let playlist = demo.line("hls").expect("hls");
    let mut answer = agent().get(&playlist).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    assert!(text.starts_with("#EXTM3U\n"), "{text}");

    let (publish, key) = (demo.line("publish").unwrap(), demo.line("publish-key"));
    let location = format!("{publish}/{}", key.expect("publish-key"));
    let _publisher = Publisher::start_at(&location, &Options::default());
    let mut viewer = Viewer::connect(&websocket(&demo.line("own").expect("own")));
    viewer.until(|message| matches!(message, Received::Binary(bytes) if &bytes[4..8] == b"moof"));

    let children = demo.children();
    let mut names: Vec<&str> = children.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ffmpeg", "h5live-server"]);
    demo.process.terminate();
    assert!(
        demo.process.wait_for_exit().success(),
        "{}",
        demo.process.log()
    );
    demo.assert_nothing_is_left(&children);
}

#[test]
fn the_demo_ends_and_says_why_when_a_process_of_it_dies() {
    let mut demo = Demo::start();
    let children = demo.children();
    let (_, server) = (children.iter())
        .find(|(name, _)| name == "h5live-server")
        .unwrap();
    Command::new("sh")
        .args(["-c", "kill -s KILL \"$1\"", "sh", &server.to_string()])
        .status()
        .unwrap();
    assert_eq!(demo.process.wait_for_exit().code(), Some(1));
    let log = demo.process.log();
    assert!(
        log.contains("h5live-server ended") || log.contains("ffmpeg ended"),
        "{log}"
    );
    demo.assert_nothing_is_left(&children);
}
