//! HLS and LL-HLS from a real server with a real origin: ffmpeg and GStreamer play what the playlist
//! lists, without headers or cookies, and no URI below the playlist holds a token.
//!
//! Not covered: browsers (`hls_browser.rs`), the playlist's own rules (`hls_rules.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use serde_json::json;
use support::hls::Site;
use support::process::Process;
use tempfile::TempDir;

/// The times of the first six seconds' frames, in milliseconds.
fn decode(url: &str) -> Vec<i64> {
    let output = Command::new("ffmpeg")
        // Not its warnings: it reads the init segment again after a reload, and warns of that.
        .args([
            "-v", "error", "-nostdin", "-i", url, "-t", "6", "-map", "0:v",
        ])
        .args(["-fps_mode", "passthrough", "-enc_time_base", "1:1000"])
        .args(["-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffmpeg");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(',').nth(2).unwrap().trim().parse().unwrap())
        .collect()
}

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
