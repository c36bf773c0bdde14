//! The built plugin in `gst-launch-1.0`, as the README shows it: a real origin and publisher before it,
//! `h5live-server mint` beside it, and headless Chromium behind it.
//! Not covered: the element's own corners (element_*.rs), and other players.
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use browser::Browser;
use support::origin::Origin;
use support::plugin::{self, tool};
use support::process::{Process, accepts, free_port};
use support::publisher::{self, Publisher};

const PATIENCE: Duration = Duration::from_secs(60);

const SECRET: &str = "a secret that echo wrote";

const PLAYS: &str = "h5live.snapshot().currentTime > 1 && h5live.snapshot().framesDecoded > 20 \
                     && h5live.snapshot().audioBytesDecoded > 0";

/// How many ports are tried when another process takes the chosen one first.
const ATTEMPTS: usize = 5;

/// The README's lines that gate a stream, by the element that each begins with.
fn documented(source: &str) -> String {
    let readme = include_str!("../README.md");
    let begins = format!("gst-launch-1.0 {source} ");
    let line = readme.lines().find(|line| line.starts_with(&begins));
    line.unwrap_or_else(|| panic!("the README begins no line with {source}"))
        .to_owned()
}

/// A documented line, with the origin's port and a free one of its own; waits until its doors are open.
fn launch(place: &Path, plugins: &Path, line: &str, origin: Option<&Origin>) -> (Process, u16) {
    let mut failure = String::new();
    for _ in 0..ATTEMPTS {
        let port = free_port();
        let mut line = line.replace("port=8181", &format!("port={port}"));
        if let Some(origin) = origin {
            let own = format!("rtmp://127.0.0.1:{}/", origin.port());
            line = line.replace("rtmp://127.0.0.1/", &own);
        }
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let mut command = tool(name, place, plugins);
        command.args(words);
        let log = place.join(format!("gst-launch-{port}.log"));
        let mut process = Process::start(name, &mut command, &log);
        // It says so only after the element has its port, so what accepts is this one.
        match process.wait(|log| (log.contains("PLAYING") && accepts(port)).then_some(())) {
            Ok(()) => return (process, port),
            Err(reason) => failure = format!("{reason}\n{}", process.log()),
        }
    }
    panic!("gst-launch-1.0 {failure}");
}

/// Runs `h5live-server mint` beside the secret file; gives the token and the page's address.
fn mint(place: &Path, more: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_h5live-server"))
        .args(["mint", "--stream", "ABCDE-demo"])
        .args(["--secret-file", "demo.secret", "--expires", "1h"])
        .args(more)
        .current_dir(place)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    let value = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {told}"))
            .to_owned()
    };
    (value("token: "), value("page: "))
}

/// The address with a character in the middle of the token's mac replaced.
fn altered(page: &str, token: &str) -> String {
    let (head, tail) = token.split_at(30);
    let other = if tail.starts_with('A') { "B" } else { "A" };
    page.replace(token, &format!("{head}{other}{}", &tail[1..]))
}

/// A directory with the secret in it as `echo` writes it: with a line end that is not part of it.
fn place_with_secret() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("demo.secret"), format!("{SECRET}\n")).unwrap();
    directory
}

#[tokio::test]
async fn the_documented_line_gates_a_test_picture() {
    let plugins = plugin::directory();
    let directory = place_with_secret();
    let place = directory.path();
    let line = documented("videotestsrc");
    let (mut launched, port) = launch(place, &plugins, &line, None);
    let (_, page) = mint(place, &["--page", &format!("http://127.0.0.1:{port}/")]);
    let browser = Browser::open(browser::Options::default()).await;
    browser.goto(&page).await;
    browser.wait_until(PLAYS, PATIENCE).await;
    assert_eq!(launched.exited(), None, "{}", launched.log());
}

#[tokio::test]
async fn the_documented_line_plays_for_a_minted_token_and_for_no_other() {
    let plugins = plugin::directory();
    let directory = place_with_secret();
    let place = directory.path();

    let origin = Origin::start();
    // Small, since an encoder and a browser share a slow machine's cores here.
    let picture = publisher::Options {
        width: 320,
        height: 180,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&origin, "ABCDE-demo", &picture);
    let line = documented("rtmpsrc");
    let (mut launched, port) = launch(place, &plugins, &line, Some(&origin));

    // The documented command names the element's default port; here it has another.
    let (token, page) = mint(place, &[]);
    assert!(page.starts_with("http://127.0.0.1:8181/?"), "{page}");
    let page = page.replace("127.0.0.1:8181", &format!("127.0.0.1:{port}"));
    let page = page.replace("127.0.0.1%3A8181", &format!("127.0.0.1%3A{port}"));

    let browser = Browser::open(browser::Options::default()).await;
    browser.goto(&page).await;
    browser.wait_until(PLAYS, PATIENCE).await;
    let (_, deviation) = browser.picture().await;
    assert!(deviation > 1.0, "the picture is of one colour");

    browser.goto(&altered(&page, &token)).await;
    let refused = "document.querySelector('#code').dataset.code == '4901'";
    browser.wait_until(refused, PATIENCE).await;
    let frames = "return h5live.snapshot().framesDecoded";
    assert_eq!(browser.execute(frames).await, 0);

    let (_, page) = mint(place, &["--page", &format!("http://127.0.0.1:{port}/")]);
    browser.goto(&page).await;
    browser.wait_until(PLAYS, PATIENCE).await;

    assert_eq!(launched.exited(), None, "{}", launched.log());
    let log = launched.log();
    for warning in ["ERROR", "WARNING", "CRITICAL", SECRET, &token] {
        assert!(!log.contains(warning), "{warning:?} in {log}");
    }
}

#[test]
fn gst_inspect_lists_the_element() {
    let plugins = plugin::directory();
    let directory = tempfile::tempdir().unwrap();
    let output = tool("gst-inspect-1.0", directory.path(), &plugins)
        .arg("h5liveauthsink")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{warned}");
    assert_eq!(warned, "");
    let version = format!("{}-", env!("CARGO_PKG_VERSION"));
    let expected = [
        "SINK template: 'video'",
        "SINK template: 'audio'",
        "video/x-h264",
        "stream-format: avc",
        "alignment: au",
        "audio/mpeg",
        "mpegversion: 4",
        "stream-format: raw",
        "libgsth5live.so",
        &version,
        "Range: 0 - 65535 Default: 8181",
    ];
    for text in expected {
        assert!(told.contains(text), "no {text:?} in {told}");
    }
    for property in [
        "address",
        "bound-port",
        "plain-http",
        "port",
        "secret",
        "secret-file",
        "stats",
        "stream-name",
        "tls-certificate-file",
        "tls-key-file",
    ] {
        let mut names = told
            .lines()
            .filter_map(|line| Some(line.split_once(':')?.0.trim()));
        assert!(names.any(|name| name == property), "no {property}");
    }
}
