//! The tests' own tools: what they publish to the origin can be read back from it.
//!
//! Does not cover anything of h5live: it tells a broken test bench from a broken project.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use support::origin::Origin;
use support::publisher::{Options, Publisher, Tool};

/// What ffprobe says of a stream at the origin, one `codec_name,…` line a track.
fn probe(origin: &Origin, stream: &str) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-rw_timeout", "20000000"])
        .args([
            "-show_entries",
            "stream=codec_name,width,height,has_b_frames,sample_rate",
        ])
        .args(["-of", "default=noprint_wrappers=1"])
        .arg(format!("{}/{stream}", origin.url("live")))
        .output()
        .expect("ffprobe runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "ffprobe: {}{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn what_ffmpeg_publishes_is_read_back() {
    let origin = Origin::start();
    let publisher = Publisher::start(&origin, "ABCDE-ffmpeg", &Options::default());
    let found = probe(&origin, "ABCDE-ffmpeg");
    for line in [
        "codec_name=h264",
        "width=640",
        "height=360",
        "codec_name=aac",
        "sample_rate=48000",
    ] {
        assert!(
            found.contains(line),
            "{line} in\n{found}\n{}",
            publisher.log()
        );
    }
}

#[test]
fn what_gstreamer_publishes_is_read_back_with_its_b_frames() {
    let origin = Origin::start();
    let options = Options {
        tool: Tool::GStreamer,
        width: 320,
        height: 180,
        bframes: 2,
        ..Options::default()
    };
    let publisher = Publisher::start(&origin, "ABCDE-gst", &options);
    let found = probe(&origin, "ABCDE-gst");
    for line in [
        "codec_name=h264",
        "width=320",
        "has_b_frames=2",
        "codec_name=aac",
    ] {
        assert!(
            found.contains(line),
            "{line} in\n{found}\n{}",
            publisher.log()
        );
    }
}

#[test]
fn an_origin_comes_back_on_its_port_and_takes_a_publisher_again() {
    let mut origin = Origin::start();
    let port = origin.port();
    let options = Options {
        audio: false,
        ..Options::default()
    };
    let first = Publisher::start(&origin, "ABCDE-again", &options);
    origin.kill();
    first.stop();
    origin.restart();
    assert_eq!(origin.port(), port);
    let _second = Publisher::start(&origin, "ABCDE-again", &options);
    assert_eq!(origin.publications("ABCDE-again"), 2);
    let found = probe(&origin, "ABCDE-again");
    assert!(
        found.contains("codec_name=h264") && !found.contains("aac"),
        "{found}"
    );
}

#[test]
fn a_publisher_with_an_end_ends() {
    let origin = Origin::start();
    for tool in [Tool::Ffmpeg, Tool::GStreamer] {
        let options = Options {
            tool,
            seconds: Some(1),
            ..Options::default()
        };
        Publisher::start(&origin, "ABCDE-short", &options).finish();
    }
    assert_eq!(origin.publications("ABCDE-short"), 2);
}
