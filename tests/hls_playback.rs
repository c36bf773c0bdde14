//! HLS and LL-HLS from a real server with a real origin: ffmpeg and GStreamer play what the playlist
//! lists, without headers or cookies, and no URI below the playlist holds a token.
//!
//! Not covered: browsers (`hls_browser.rs`), the playlist's own rules (`hls_rules.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use serde_json::json;
use support::hls::Site;

fn ffprobe(url: &str) -> Vec<f64> {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "warning",
            "-select_streams",
            "v",
            "-read_intervals",
            "%+6",
        ])
        .args(["-show_entries", "frame=pts_time", "-of", "csv=p=0", url])
        .output()
        .expect("ffprobe runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffprobe warns");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.trim_end_matches(',').parse().ok())
        .collect()
}

#[test]
fn ffmpeg_plays_it() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({"tag": "viewer 1"}));
    let times = ffprobe(&site.playlist_url(&token));
    assert!(times.len() > 100, "{} frames", times.len());
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - 1.0 / 30.0).abs() < 0.003, "{pair:?}");
    }
}
