//! What ffprobe and ffmpeg say of a file.

use std::process::Command;

use h5live::media::fragment::{Fragment, Init};

/// One decoded frame, in seconds.
#[derive(Clone, Debug)]
pub struct Frame {
    pub video: bool,
    pub pts: f64,
    pub key: bool,
}

fn file(init: &Init, fragments: &[&Fragment]) -> tempfile::NamedTempFile {
    let mut bytes = init.bytes.to_vec();
    for fragment in fragments {
        bytes.extend_from_slice(&fragment.bytes);
    }
    let file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// The decoded samples of the audio, interleaved; fails on any warning of ffmpeg.
pub fn samples(init: &Init, fragments: &[&Fragment]) -> Vec<i16> {
    let file = file(init, fragments);
    let decode = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-i"])
        .arg(file.path())
        .args(["-map", "0:a", "-f", "s16le", "-"])
        .output()
        .expect("ffmpeg runs");
    assert_eq!(String::from_utf8_lossy(&decode.stderr), "", "ffmpeg");
    decode
        .stdout
        .chunks_exact(2)
        .map(|sample| i16::from_le_bytes([sample[0], sample[1]]))
        .collect()
}

/// Decodes init segment and fragments; fails on any warning of ffprobe or ffmpeg.
pub fn decode(init: &Init, fragments: &[&Fragment]) -> Vec<Frame> {
    let file = file(init, fragments);
    let probe = Command::new("ffprobe")
        .args(["-v", "warning", "-show_frames", "-of", "json"])
        .arg(file.path())
        .output()
        .expect("ffprobe runs");
    assert_eq!(String::from_utf8_lossy(&probe.stderr), "", "ffprobe");
    let decode = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-i"])
        .arg(file.path())
        // The frames' own time base: the default one of a frame is too coarse for our times.
        .args(["-fps_mode", "passthrough", "-enc_time_base", "-1"])
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    assert_eq!(String::from_utf8_lossy(&decode.stderr), "", "ffmpeg");

    let frames: serde_json::Value = serde_json::from_slice(&probe.stdout).unwrap();
    frames["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| Frame {
            video: frame["media_type"] == "video",
            pts: frame["pts_time"].as_str().unwrap().parse().unwrap(),
            key: frame["key_frame"] == 1,
        })
        .collect()
}

/// The presentation times of one kind of frame.
pub fn times(frames: &[Frame], video: bool) -> Vec<f64> {
    frames
        .iter()
        .filter(|frame| frame.video == video)
        .map(|frame| frame.pts)
        .collect()
}
