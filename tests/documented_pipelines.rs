//! Every `gst-launch-1.0` line that the documentation prints with our element runs as printed, but for its
//! ports: from a real origin to a viewer with a token.
//! Not covered: what a browser shows of it (gst_launch.rs).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::origin::Origin;
use support::plugin;
use support::process::{Process, accepts, free_port};
use support::publisher::{self, Publisher};
use support::viewer::{Received, Viewer};
use url::form_urlencoded::Serializer;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How many ports are tried when another process takes the chosen one first.
const ATTEMPTS: usize = 5;

/// The files below a path that hold documentation.
fn documents(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            documents(&entry.unwrap().path(), found);
        }
    } else if path
        .extension()
        .is_some_and(|kind| kind == "md" || kind == "rs")
    {
        found.push(path.to_owned());
    }
}

/// The lines of a text that start `gst-launch-1.0` with our element, with what continues them.
fn pipelines(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(|line| {
        let line = line.trim();
        line.trim_start_matches("//!")
            .trim_start_matches("///")
            .trim()
    });
    while let Some(line) = lines.next() {
        if !line.starts_with("gst-launch-1.0 ") {
            continue;
        }
        let mut pipeline = line.to_owned();
        while let Some(head) = pipeline.strip_suffix('\\') {
            pipeline = format!("{head}{}", lines.next().unwrap_or_default());
        }
        if pipeline.contains("h5liveauthsink") {
            found.push(pipeline);
        }
    }
    found
}

/// Every documented pipeline, with the file that prints it.
fn table() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for place in ["README.md", "docs", "examples", "src/element"] {
        documents(&Path::new(ROOT).join(place), &mut files);
    }
    files.sort();
    (files.iter())
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            pipelines(&text)
                .into_iter()
                .map(|line| (file.clone(), line))
        })
        .collect()
}

/// Starts the line by a shell, as a person does; with other ports. Waits until its doors are open.
fn start(line: &str, place: &Path, plugins: &Path, origin: &Origin) -> (Process, u16) {
    assert!(line.contains(" port=8181"), "{line}");
    let line = line.replace(
        "rtmp://127.0.0.1/",
        &format!("rtmp://127.0.0.1:{}/", origin.port()),
    );
    let mut failure = String::new();
    for _ in 0..ATTEMPTS {
        let port = free_port();
        let line = line.replace(" port=8181", &format!(" port={port}"));
        let mut command = plugin::tool("sh", place, plugins);
        command.arg("-c").arg(format!("exec {line}"));
        let log = place.join(format!("gst-launch-{port}.log"));
        let mut process = Process::start("gst-launch-1.0", &mut command, &log);
        match process.wait(|log| (log.contains("PLAYING") && accepts(port)).then_some(())) {
            Ok(()) => return (process, port),
            Err(reason) => failure = format!("{reason}\n{}", process.log()),
        }
    }
    panic!("{line}: {failure}");
}

/// A viewer's query with a token of the secret beside the line.
fn query(place: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_h5live-server"))
        .args(["mint", "--stream", "ABCDE-demo", "--json"])
        .args(["--secret-file", "demo.secret", "--expires", "1h"])
        .current_dir(place)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let minted: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut query = Serializer::new(String::new());
    query.extend_pairs([
        ("url", "rtmp://127.0.0.1/live"),
        ("stream", "ABCDE-demo"),
        ("cid", "1"),
        ("pid", "2"),
    ]);
    for name in ["expires", "tag", "token", "options"] {
        let value = minted["h5live"]["security"]
            .get(name)
            .map_or(String::new(), |value| {
                value.as_str().map_or(value.to_string(), str::to_owned)
            });
        query.append_pair(name, &value);
    }
    query.finish()
}

#[test]
fn every_documented_pipeline_plays_as_it_is_printed() {
    let table = table();
    assert!(table.len() >= 2, "README.md and the element have one each");
    let plugins = plugin::directory();
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    std::fs::write(
        place.join("demo.secret"),
        "a secret of the documented lines\n",
    )
    .unwrap();
    let origin = Origin::start();
    let picture = publisher::Options {
        width: 320,
        height: 180,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&origin, "ABCDE-demo", &picture);
    // What a shell splits alike is the same line; two files may print it.
    let mut tried: Vec<String> = Vec::new();
    for (file, line) in table {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if tried.contains(&words) {
            continue;
        }
        tried.push(words);
        let (mut launched, port) = start(&line, place, &plugins, &origin);
        let url = format!("ws://127.0.0.1:{port}/h5live/authstream?{}", query(place));
        let mut viewer = Viewer::connect(&url);
        let mut fragments = 0;
        viewer.until(|received| {
            fragments += usize::from(matches!(received, Received::Binary(_)));
            fragments > 60
        });
        let log = launched.log();
        assert_eq!(launched.exited(), None, "{}: {log}", file.display());
        for warning in ["ERROR", "WARNING", "CRITICAL"] {
            assert!(!log.contains(warning), "{}: {log}", file.display());
        }
    }
}
