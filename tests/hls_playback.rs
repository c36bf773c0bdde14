//! HLS and LL-HLS from a real server with a real origin: ffmpeg and GStreamer play what the playlist
//! lists, without headers or cookies, and no URI below the playlist holds a token.
//!
//! Not covered: browsers (`hls_browser.rs`), the playlist's own rules (`hls_rules.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use serde_json::json;
use support::hls::{Site, decode};
use support::process::Process;
use tempfile::TempDir;

#[test]
fn ffmpeg_plays_it() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({"tag": "viewer 1"}));
    let times = decode(&site.playlist_url(&token));
    assert!(times.len() >= 175, "{} frames", times.len());
    for pair in times.windows(2) {
        assert!((33..=34).contains(&(pair[1] - pair[0])), "{pair:?}");
    }
}

#[test]
fn gstreamer_plays_it() {
    let site = Site::start();
    let _publisher = site.publish();
    let url = site.playlist_url(&site.mint(&json!({"tag": "viewer 1"})));
    let directory = TempDir::new().unwrap();
    let mut command = Command::new("gst-launch-1.0");
    command
        .args([
            "-v",
            "souphttpsrc",
            &format!("location={url}"),
            "!",
            "hlsdemux",
            "!",
        ])
        .args(["qtdemux", "!", "h264parse", "!", "identity", "silent=false"])
        .args(["!", "fakesink", "sync=false"]);
    let log = directory.path().join("gst-launch.log");
    let mut player = Process::start("gst-launch-1.0", &mut command, &log);
    player.wait_until("a hundred frames", |log| {
        (log.matches("chain   ******* (identity0:sink)").count() >= 100).then_some(())
    });
}
