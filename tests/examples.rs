//! The examples as a reader would run them. Not covered here: those that mint (`examples_mint.rs`).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use h5live::token::{Claims, Scope, Secret, StreamName, Tag, mint};
use support::origin::Origin;
use support::process::Process;
use support::publisher::{self, Publisher};
use support::server::Security;
use url::form_urlencoded;

const SECRET: &str = "the secret of the example";

/// How long a picture may take to come; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// The URLs of a scheme that an example prints, so many of them.
fn urls<const COUNT: usize>(process: &mut Process, scheme: &str) -> [String; COUNT] {
    process.wait_until("a URL", |log| {
        let (lines, _) = log.rsplit_once('\n')?;
        let urls = lines.lines().filter(|line| line.starts_with(scheme));
        let urls: Vec<String> = urls.map(str::to_owned).collect();
        urls.try_into().ok()
    })
}

/// The playlist of a stream whose secret is known, with a token for it.
fn playlist(base: &str, stream: &str, secret: &str, tag: Option<&str>) -> String {
    let name = StreamName::parse(stream).unwrap();
    let mut claims = Claims::of(Scope::Stream(name));
    claims.tag = tag.map(|tag| Tag::parse(tag).unwrap());
    let minted = mint(&Secret::new(secret).unwrap().key(), &claims);
    let token = Security::from(minted);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("stream", stream);
    query.extend_pairs(token.pairs());
    format!("{base}h5live/authhttp/playlist.m3u8?{}", query.finish())
}

/// ffprobe reads the playlist and finds a picture of this width, once there are pictures: an encoder may be
/// slower to begin than the sound.
fn assert_plays(process: &Process, url: &str, width: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let probed = Command::new("timeout")
            .args(["30", "ffprobe", "-loglevel", "error", "-show_entries"])
            .args(["stream=width", "-of", "csv=p=0", url])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&probed.stdout);
        if said.lines().any(|line| line.trim_end_matches(',') == width) {
            return;
        }
        assert!(Instant::now() < until, "{probed:?}\n{}", process.log());
    }
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
    let [url] = urls(&mut process, "http://");
    assert_plays(&process, &url, "320");
    assert_refused(&url.replace("tag=guest", "tag=other"));
}

#[cfg(feature = "rtsp")]
#[test]
fn rtsp_door_serves_whoever_has_the_token_it_prints() {
    let directory = tempfile::TempDir::new().unwrap();
    let program = build(&["--example", "rtsp_door"]).join("examples/rtsp_door");
    let mut command = Command::new(program);
    let mut process = Process::start("rtsp_door", &mut command, &directory.path().join("log"));
    let [url] = urls(&mut process, "rtsp://");
    assert_plays(&process, &url, "320");
    let (address, _) = url.split_once("?").unwrap();
    let refused = Command::new("timeout")
        .args(["30", "ffprobe", "-loglevel", "error", address])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("403 Forbidden"), "{refused:?}");
}

#[test]
fn python_gates_a_stream() {
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
    let [base] = urls(&mut process, "http://");
    assert_refused(&playlist(
        &base,
        "ABCDE-demo",
        "another secret than that",
        None,
    ));
    assert_plays(
        &process,
        &playlist(&base, "ABCDE-demo", SECRET, None),
        "320",
    );
}

#[test]
fn an_application_in_c_refuses_whom_the_verifier_has_let_in() {
    let directory = tempfile::TempDir::new().unwrap();
    let (place, project) = (directory.path(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let secret = place.join("secret");
    fs::write(&secret, SECRET).unwrap();
    // The plugin is built by cargo here, as for the others.
    let parts = ["-Dexamples=true", "-Dplugin=false", "-Dserver=false"];
    for command in [
        Command::new("meson")
            .arg("setup")
            .args(parts)
            .arg(place.join("build"))
            .arg(project),
        Command::new("meson")
            .args(["compile", "-C"])
            .arg(place.join("build")),
    ] {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let plugins = build(&["-p", "gst-plugin-h5live"]);
    let mut command = Command::new(place.join("build/examples/c/gated"));
    command.arg("ABCDE-demo").arg(&secret).arg("the guest");
    command.env("GST_PLUGIN_PATH", plugins);
    command.env("GST_REGISTRY", place.join("registry"));
    let mut process = Process::start("gated", &mut command, &place.join("log"));
    let [base] = urls(&mut process, "http://");
    assert_refused(&playlist(&base, "ABCDE-demo", SECRET, None));
    assert_refused(&playlist(&base, "ABCDE-demo", SECRET, Some("another")));
    let url = playlist(&base, "ABCDE-demo", SECRET, Some("the guest"));
    assert_plays(&process, &url, "320");
    process.wait_until("news of the one client", |log| {
        log.contains(" at 127.0.0.1 plays").then_some(())
    });
}

#[test]
fn the_rungs_of_a_ladder_play_each_with_its_own_token() {
    let directory = tempfile::TempDir::new().unwrap();
    let secret = directory.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let origin = Origin::start();
    let _publisher = Publisher::start(&origin, "ABCDE-demo", &publisher::Options::default());
    let mut command = Command::new(build(&["--example", "ladder"]).join("examples/ladder"));
    command
        .arg(format!("{}/ABCDE-demo", origin.url("live")))
        .arg(&secret);
    let mut process = Process::start("ladder", &mut command, &directory.path().join("log"));
    let [large, small] = urls(&mut process, "http://");
    assert_plays(&process, &large, "1280");
    assert_plays(&process, &small, "640");
    assert_refused(&large.replace("ABCDE-720p", "ABCDE-360p"));
}

/// What the simulation prints is what the document quotes: neither changes without the other.
#[test]
fn scale_simulation_prints_the_table_that_scale_md_quotes() {
    let program = build(&["--example", "scale_simulation"]).join("examples/scale_simulation");
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scale.md");
    let document = fs::read_to_string(document).unwrap();
    assert_eq!(table.lines().count(), 9, "{table}");
    assert!(
        document.contains(&table),
        "docs/scale.md does not quote this:\n{table}"
    );
}
