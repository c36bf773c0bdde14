//! A short run of the built plugin under GStreamer's leaks tracer and under valgrind's memcheck, with a
//! client that plays and one that is refused. Not covered: handlers of signals, which `gst-launch-1.0` has
//! none of, and what is still held when a process ends without leaking (valgrind's "still reachable").
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/plugin.rs"]
mod plugin;
#[allow(dead_code)]
#[path = "support/process.rs"]
mod process;
#[path = "support/told.rs"]
mod told;

use std::path::Path;
use std::process::Command;

use process::{Process, wait_until};
use told::{Client, query};

const STREAM: &str = "ABCDE-demo";

/// As `told.rs` signs.
const SECRET: &str = "the secret of this bench";

/// A pipeline for gst-launch; the file in it lasts a few seconds, also for a slow valgrind.
const LINE: &str = "filesrc location=clip.mp4 ! qtdemux name=d  \
    d.video_0 ! queue ! h264parse ! clocksync ! \
        h5liveauthsink name=s stream-name=ABCDE-demo secret-file=demo.secret port=0  \
    d.audio_0 ! queue ! aacparse ! s.";

const SUPPRESSIONS: &str = concat!(
    "--suppressions=",
    env!("CARGO_MANIFEST_DIR"),
    "/tests/support/valgrind.supp"
);

fn record(place: &Path) {
    std::fs::write(place.join("demo.secret"), SECRET).unwrap();
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .args(["testsrc2=size=160x90:rate=15", "-f", "lavfi", "-i", "sine"])
        .args(["-t", "6", "-c:v", "libx264", "-preset", "ultrafast"])
        .args(["-pix_fmt", "yuv420p", "-g", "15", "-c:a", "aac", "clip.mp4"])
        .current_dir(place)
        .status()
        .expect("ffmpeg runs");
    assert!(made.success());
}

/// Runs the pipeline to its end, and gives what was written.
fn run(place: &Path, command: &mut Command) -> String {
    command.arg("-v").args(LINE.split_whitespace());
    let mut process = Process::start("gst-launch-1.0", command, &place.join("log"));
    let port = wait_until("the doors are open", || {
        let log = process.log();
        let told = log.split("bound-port = ").nth(1)?;
        let port = told.lines().next()?.trim().parse::<u16>().ok()?;
        assert_eq!(process.exited(), None, "{log}");
        Some(port)
    });
    let mut client = Client::new(port, &query(STREAM, None, None));
    client.hears("onRandomAccessPoint");
    let forged = query(STREAM, None, None).replace("options=0", "options=8&tag=x");
    assert_eq!(Client::new(port, &forged).closed(), 4901);
    // It stays until the element leaves.
    client.hears("onStreamStatus");
    assert_eq!(client.closed(), 4503);
    let status = wait_until("the pipeline ends", || process.exited());
    let log = process.log();
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("Got EOS"), "{log}");
    log
}

#[test]
fn nothing_leaks_and_nothing_is_warned_of() {
    let (plugins, place) = (plugin::directory(), tempfile::tempdir().unwrap());
    let place = place.path();
    record(place);
    let mut command = plugin::tool("gst-launch-1.0", place, &plugins);
    command
        .env("GST_TRACERS", "leaks")
        .env("GST_DEBUG", "GST_TRACER:7")
        .env("GST_DEBUG_NO_COLOR", "1")
        .env("G_DEBUG", "fatal-warnings");
    let log = run(place, &mut command);
    assert!(log.contains("object-alive.class"), "no tracer: {log}");
    let alive = log.lines().find(|line| line.contains("object-alive,"));
    // The tracer's own description of its format stands there too.
    let alive = alive.filter(|line| !line.contains("new format string"));
    assert_eq!(alive, None);
}

#[test]
fn memcheck_finds_nothing() {
    let (plugins, place) = (plugin::directory(), tempfile::tempdir().unwrap());
    let place = place.path();
    record(place);
    // Fills the registry: its look at all plugins is slow under valgrind, and not ours.
    let inspected = plugin::tool("gst-inspect-1.0", place, &plugins)
        .arg("h5liveauthsink")
        .output();
    assert!(inspected.expect("gst-inspect-1.0 runs").status.success());
    let mut command = plugin::tool("valgrind", place, &plugins);
    command
        .args(["--error-exitcode=33", "--num-callers=30"])
        .args(["--leak-check=full", "--errors-for-leak-kinds=definite"])
        .args(["--show-leak-kinds=definite", SUPPRESSIONS])
        .arg("gst-launch-1.0")
        // So that each allocation of GLib's is one that valgrind sees.
        .env("G_SLICE", "always-malloc")
        .env("G_DEBUG", "gc-friendly,fatal-warnings");
    let log = run(place, &mut command);
    assert!(log.contains("ERROR SUMMARY: 0 errors"), "{log}");
}
