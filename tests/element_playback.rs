//! A whole pipeline through `h5liveauthsink` to a WebSocket client: what arrives decodes.
//! Not covered: RTMP, and browsers.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/live.rs"]
mod live;
#[path = "support/patient.rs"]
mod patient;

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use gstreamer::prelude::*;
use h5live::token::{Claims, Scope, mint};
use live::Live;
use patient::Patient;
use tungstenite::{Message, client};

const FRAGMENTS: usize = 60;

#[test]
fn what_a_pipeline_publishes_decodes_at_a_client_with_a_token() {
    let live = Live::start();
    assert!(
        live.sink.property::<Option<String>>("secret").is_none(),
        "write-only"
    );

    let token = mint(&live::key(), &Claims::of(Scope::Stream(live::stream()))).token;
    let port = live.port;
    let url = format!(
        "ws://127.0.0.1:{port}/h5live/authstream?stream=ABCDE-demo&token={token}&options=0"
    );
    let tcp = Patient::connect(("127.0.0.1", port), Duration::from_secs(30)).unwrap();
    let (mut socket, _) = client(url, tcp).unwrap();
    let mut file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    let mut fragments = 0;
    while fragments < FRAGMENTS {
        if let Message::Binary(bytes) = socket.read().unwrap() {
            fragments += usize::from(&bytes[4..8] == b"moof");
            file.write_all(&bytes).unwrap();
        }
    }
    drop(live);

    let probe = Command::new("ffprobe")
        .args(["-v", "warning", "-count_frames", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=codec_name,nb_read_frames"])
        .arg(file.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&probe.stdout);
    let warned = String::from_utf8_lossy(&probe.stderr);
    assert!(warned.is_empty(), "{warned}");
    let video = told.lines().find(|line| line.starts_with("h264,"));
    let frames: usize = video.unwrap()[5..].trim_matches(',').parse().unwrap();
    assert!(frames.abs_diff(FRAGMENTS) <= 2, "{told}");
    assert!(told.contains("aac,"), "{told}");
}
