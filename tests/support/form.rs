//! What is published and what arrives, as a player tells it: the picture's size, and the sound's.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::publisher;

/// Picture and sound: width and height, sample rate and channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Form {
    pub picture: (u32, u32),
    pub sound: Option<(u32, u32)>,
}

impl Form {
    /// A publisher of it.
    pub fn options(&self) -> publisher::Options {
        let (width, height) = self.picture;
        let (sample_rate, channels) = self.sound.unwrap_or((48_000, 2));
        publisher::Options {
            width,
            height,
            audio: self.sound.is_some(),
            sample_rate,
            channels,
            ..publisher::Options::default()
        }
    }

    /// What an onStreamInfo tells.
    pub fn told(info: &Value) -> Form {
        let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let (video, audio) = (&info["videoInfo"], &info["audioInfo"]);
        assert_eq!(info["haveAudio"], json!(!audio.is_null()), "{info}");
        Form {
            picture: (number(&video["width"]), number(&video["height"])),
            sound: (!audio.is_null())
                .then(|| (number(&audio["sampleRate"]), number(&audio["channels"]))),
        }
    }

    /// What ffmpeg finds in a file, all of which it must be able to decode; and how many pictures.
    pub fn decoded(file: &[u8]) -> (Form, usize) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("received.mp4");
        std::fs::write(&path, file).unwrap();
        let probed = Command::new("ffprobe")
            .args([
                "-v",
                "warning",
                "-of",
                "json",
                "-count_frames",
                "-show_entries",
            ])
            .arg("stream=codec_type,width,height,sample_rate,channels,nb_read_frames")
            .arg(&path)
            .output()
            .expect("ffprobe runs");
        assert_eq!(String::from_utf8_lossy(&probed.stderr), "", "ffprobe warns");
        let streams: Value = serde_json::from_slice(&probed.stdout).unwrap();
        let of = |kind: &str| {
            let mut all = streams["streams"].as_array().unwrap().iter();
            all.find(|stream| stream["codec_type"] == kind)
        };
        let number = |value: &Value| match value {
            Value::String(text) => text.parse().unwrap(),
            value => u32::try_from(value.as_u64().unwrap()).unwrap(),
        };
        let video = of("video").expect("a picture");
        let form = Form {
            picture: (number(&video["width"]), number(&video["height"])),
            sound: of("audio")
                .map(|audio| (number(&audio["sample_rate"]), number(&audio["channels"]))),
        };
        (form, number(&video["nb_read_frames"]) as usize)
    }
}
