//! Each codec from its encoder through `h5liveauthsink` to a viewer: its exact name, and the pictures
//! and sounds that ffmpeg decodes. Not covered: browsers (codecs_browser.rs), other profiles.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/live.rs"]
mod live;
#[path = "support/patient.rs"]
mod patient;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use h5live::token::{Claims, Scope, mint};
use live::Live;
use patient::Patient;
use serde_json::Value;
use tungstenite::{Message, client};

const PATIENCE: Duration = Duration::from_secs(60);
const PICTURES: usize = 45;
/// Where running time 0 lies in what is published, in seconds; encoders may begin before it.
const RUNNING_TIME_0: f64 = 10.0;

/// A video branch as its encoder writes it, its parser, the name, and ffprobe's words.
struct Video {
    encoder: &'static str,
    parser: &'static str,
    codec: &'static str,
    /// codec_name, profile and codec_tag_string.
    probed: [&'static str; 3],
    /// What the parameter sets or the sequence header say, by ffprobe.
    level: i64,
    /// ffmpeg's name for what the encoder writes.
    format: &'static str,
}

const H264: Video = Video {
    encoder: "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 \
              ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream",
    parser: "h264parse",
    codec: "avc1.42C015",
    probed: ["h264", "Constrained Baseline", "avc1"],
    level: 21,
    format: "h264",
};
const H265: Video = Video {
    encoder: "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15",
    parser: "h265parse",
    codec: "hvc1.1.6.L63.90",
    probed: ["hevc", "Main", "hvc1"],
    level: 63,
    format: "hevc",
};
/// With pictures out of order.
const H265_REORDERED: Video = Video {
    encoder: "x265enc speed-preset=superfast key-int-max=15 option-string=\"bframes=3:open-gop=0\"",
    ..H265
};
const AV1: Video = Video {
    encoder: "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=15",
    parser: "av1parse",
    codec: "av01.0.00M.08",
    probed: ["av1", "Main", "av01"],
    level: 0,
    format: "obu",
};

struct Audio {
    branch: &'static str,
    codec: &'static str,
    probed: [&'static str; 3],
    /// Seconds of a frame.
    frame: f64,
}

const AAC: Audio = Audio {
    branch: "voaacenc ! aacparse",
    codec: "mp4a.40.2",
    probed: ["aac", "LC", "mp4a"],
    frame: 1024.0 / 48_000.0,
};
const OPUS: Audio = Audio {
    branch: "opusenc ! opusparse",
    codec: "opus",
    probed: ["opus", "unknown", "Opus"],
    frame: 0.02,
};
/// Straight from the encoder, and in packets of three frames.
const OPUS_60_MS: Audio = Audio {
    branch: "opusenc frame-size=60",
    frame: 0.06,
    ..OPUS
};

#[test]
fn h264() {
    plays(Some(&H264), None);
}

#[test]
fn h265() {
    plays(Some(&H265), None);
}

#[test]
fn h265_out_of_order() {
    plays(Some(&H265_REORDERED), None);
}

#[test]
fn av1() {
    plays(Some(&AV1), None);
}

#[test]
fn av1_without_its_parser() {
    let bare = Video {
        parser: "identity",
        ..AV1
    };
    plays(Some(&bare), Some(&OPUS));
}

#[test]
fn aac() {
    plays(None, Some(&AAC));
}

#[test]
fn opus() {
    plays(None, Some(&OPUS));
    plays(None, Some(&OPUS_60_MS));
}

#[test]
fn every_pair() {
    std::thread::scope(|scope| {
        for video in [&H264, &H265, &AV1] {
            scope.spawn(move || [&AAC, &OPUS].map(|audio| plays(Some(video), Some(audio))));
        }
    });
}

/// What a viewer was sent, from the first picture to the last.
struct Sent {
    mime_type: String,
    media: Vec<u8>,
}

fn plays(video: Option<&Video>, audio: Option<&Audio>) {
    let directory = tempfile::tempdir().unwrap();
    let encoded = directory.path().join("encoded");
    let mut branches = String::new();
    if let Some(video) = video {
        branches += &format!(
            "videotestsrc is-live=true num-buffers={PICTURES} \
             ! video/x-raw,format=I420,width=320,height=180,framerate=30/1 ! {} ! tee name=t \
             t. ! queue max-size-time=0 ! {} ! s.video t. ! queue max-size-time=0 ! filesink async=false location={} ",
            video.encoder,
            video.parser,
            encoded.display()
        );
    }
    if let Some(audio) = audio {
        // It ends between the last keyframe and the last picture, so that no track goes on alone.
        branches += &format!(
            "audiotestsrc is-live=true num-buffers=66 samplesperbuffer=1000 \
             ! audio/x-raw,rate=48000,channels=2 ! {} ! queue ! s.audio",
            audio.branch
        );
    }
    let live = Live::ready(&branches);
    let sent = receive(&live);
    // What the encoder wrote is in its file only then.
    live.end();

    let codecs: Vec<&str> = [video.map(|v| v.codec), audio.map(|a| a.codec)]
        .into_iter()
        .flatten()
        .collect();
    let kind = if video.is_some() { "video" } else { "audio" };
    let expected = format!("{kind}/mp4; codecs=\"{}\"", codecs.join(", "));
    assert_eq!(sent.mime_type, expected);

    let file = directory.path().join("sent.mp4");
    std::fs::write(&file, &sent.media).unwrap();
    let probed = probe(&file);
    let stream = |kind: &str| {
        let mut streams = probed["streams"].as_array().unwrap().iter();
        streams.find(|stream| stream["codec_type"] == kind).cloned()
    };
    if let Some(video) = video {
        let told = stream("video").unwrap();
        assert_eq!(words(&told), video.probed);
        assert_eq!(
            (&told["width"], &told["height"]),
            (&320.into(), &180.into())
        );
        assert_eq!(told["level"], video.level);
        assert_eq!(told["nb_read_frames"], PICTURES.to_string());
        let pictures = pictures(&["-i".as_ref(), file.as_os_str()]);
        let format = ["-f".as_ref(), video.format.as_ref(), "-i".as_ref()];
        let original = self::pictures(&[&format[..], &[encoded.as_os_str()]].concat());
        assert_eq!(pictures.len(), PICTURES);
        assert_eq!(pictures, original, "decoded as the encoder's own output is");
    }
    if let Some(audio) = audio {
        let told = stream("audio").unwrap();
        assert_eq!(words(&told), audio.probed);
        assert_eq!(
            (&told["sample_rate"], &told["channels"]),
            (&"48000".into(), &2.into())
        );
        // Where it begins is where the first picture was ready, however long that took.
        let end = even(&file, audio.frame);
        assert!((end - 1.375).abs() < 0.15, "the sound ends at {end} s");
    }
}

/// The words of [`Video::probed`].
fn words(stream: &Value) -> [&str; 3] {
    ["codec_name", "profile", "codec_tag_string"]
        .map(|name| stream[name].as_str().unwrap_or("unknown"))
}

/// Plays it, and reads all that a viewer is sent.
fn receive(live: &Live) -> Sent {
    let token = mint(&live::key(), &Claims::of(Scope::Stream(live::stream()))).token;
    let port = live.port;
    let url = format!(
        "ws://127.0.0.1:{port}/h5live/authstream?stream=ABCDE-demo&token={token}&options=0"
    );
    let tcp = Patient::connect(("127.0.0.1", port), PATIENCE).unwrap();
    let (mut socket, _) = client(url, tcp).unwrap();
    let mut sent = Sent {
        mime_type: String::new(),
        media: Vec::new(),
    };
    // The greeting comes first: the viewer is there before the first picture.
    let greeting = socket.read().unwrap();
    assert!(greeting.to_text().unwrap().contains("onServerInfo"));
    live.play();
    loop {
        match socket.read().unwrap() {
            Message::Binary(bytes) => sent.media.extend_from_slice(&bytes),
            Message::Text(text) => {
                let event: Value = serde_json::from_str(&text).unwrap();
                match event["eventType"].as_str() {
                    Some("onStreamInfo") => {
                        assert_eq!(sent.mime_type, "", "one init segment");
                        let mime_type = event["onStreamInfo"]["mimeType"].as_str();
                        sent.mime_type = mime_type.unwrap().to_owned();
                    }
                    Some("onStreamInfoUpdate") => panic!("another init segment"),
                    Some("onStreamStatus") => return sent,
                    _ => {}
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What ffprobe says of each stream; it may not warn.
fn probe(file: &Path) -> Value {
    let probe = Command::new("ffprobe")
        .args(["-v", "warning", "-count_frames", "-show_streams"])
        .args(["-of", "json"])
        .arg(file)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&probe.stderr), "", "ffprobe");
    serde_json::from_slice(&probe.stdout).unwrap()
}

/// The hash of each decoded picture; ffmpeg may not warn of errors.
fn pictures(input: &[&std::ffi::OsStr]) -> Vec<String> {
    let decode = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(input)
        .args([
            "-map",
            "0:v",
            "-fps_mode",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&decode.stderr), "", "ffmpeg");
    let text = String::from_utf8(decode.stdout).unwrap();
    let frames = text.lines().filter(|line| !line.starts_with('#'));
    frames
        .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
        .collect()
}

/// Packet follows packet, without a gap; where the last one ends, in seconds of running time.
fn even(file: &Path, frame: f64) -> f64 {
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "a", "-of", "csv=p=0"])
        .args(["-show_entries", "packet=pts_time"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(probe.stdout).unwrap();
    let times: Vec<f64> = text
        .lines()
        .map(|line| line.trim_matches(',').parse().unwrap())
        .collect();
    for pair in times.windows(2) {
        assert!((pair[1] - pair[0] - frame).abs() < 1e-4, "{times:?}");
    }
    times.last().unwrap() + frame - RUNNING_TIME_0
}
