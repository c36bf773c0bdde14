//! The examples as a reader would run them. Not covered here: those that mint (`examples_mint.rs`).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use h5live::token::{Claims, Scope, Secret, StreamName, mint};
use support::process::Process;
use support::server::Security;

/// Builds what an example needs, by the cargo and in the directory of this very build.
fn build(what: &[&str]) -> std::path::PathBuf {
    let executable = std::env::current_exe().unwrap();
    let target = executable.ancestors().nth(3).unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked"])
        .args(what)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", target)
        .status()
        .unwrap();
    assert!(status.success(), "{what:?} does not build");
    target.join("debug")
}

/// The line that an example prints first.
fn first_line(process: &mut Process, start: &str) -> String {
    process.wait_until("a URL", |log| {
        let (lines, _) = log.rsplit_once('\n')?;
        let line = lines.lines().find(|line| line.starts_with(start))?;
        Some(line.to_owned())
    })
}

/// ffprobe reads the playlist and finds a picture of this width.
fn assert_plays(process: &Process, url: &str, width: &str) {
    let probed = Command::new("timeout")
        .args(["30", "ffprobe", "-loglevel", "error", "-show_entries"])
        .args(["stream=width", "-of", "csv=p=0", url])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&probed.stdout);
    assert!(
        said.lines().any(|line| line.trim_end_matches(',') == width),
        "{probed:?}\n{}",
        process.log()
    );
}

fn assert_refused(url: &str) {
    let curl = Command::new("curl")
        .args([
            "--silent",
            "--noproxy",
            "*",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            url,
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "403", "{curl:?}");
}

#[test]
fn app_source_is_played_with_the_token_it_prints() {
    let directory = tempfile::TempDir::new().unwrap();
    let program = build(&["--example", "app_source"]).join("examples/app_source");
    let mut command = Command::new(program);
    let mut process = Process::start("app_source", &mut command, &directory.path().join("log"));
    let url = first_line(&mut process, "http://");
    assert_plays(&process, &url, "320");
    assert_refused(&url.replace("tag=guest", "tag=other"));
}

#[test]
fn python_gates_a_stream() {
    const SECRET: &str = "the secret of the example";
    let directory = tempfile::TempDir::new().unwrap();
    let secret = directory.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let plugins = build(&["-p", "gst-plugin-h5live"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python/gated.py");
    let mut command = Command::new("/usr/bin/python3"); // Debian's, which has PyGObject
    command.arg(script).arg("ABCDE-demo").arg(&secret);
    command.env("GST_PLUGIN_PATH", plugins);
    command.env("GST_REGISTRY", directory.path().join("registry"));
    let mut process = Process::start("gated.py", &mut command, &directory.path().join("log"));
    let base = first_line(&mut process, "http://");
    let stream = StreamName::parse("ABCDE-demo").unwrap();
    let key = Secret::new(SECRET).unwrap().key();
    let token = Security::from(mint(&key, &Claims::of(Scope::Stream(stream))));
    let url = format!("{base}h5live/authhttp/playlist.m3u8?stream=ABCDE-demo");
    assert_refused(&url);
    let url = format!("{url}&token={}&options={}", token.token, token.options);
    assert_plays(&process, &url, "320");
}
