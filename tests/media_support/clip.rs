//! Clips that ffmpeg encodes at test time, and what is done to their timestamps.

use std::process::Command;

use h5live::media::Muxer;
use h5live::media::fragment::{Fragment, Init, Output, VideoCodec, VideoConfig};

use super::flv::{self, Message};

/// What to encode: 320x180 test picture and a sine.
#[derive(Clone, Debug)]
pub struct Clip {
    pub rate: &'static str,
    pub seconds: u32,
    pub size: &'static str,
    pub b_frames: u32,
    pub gop: u32,
    pub sample_rate: u32,
    pub video: bool,
    pub audio: bool,
}

impl Default for Clip {
    fn default() -> Self {
        Self {
            rate: "30",
            seconds: 3,
            size: "320x180",
            b_frames: 0,
            gop: 30,
            sample_rate: 48_000,
            video: true,
            audio: true,
        }
    }
}

impl Clip {
    /// Encodes it and reads the messages back.
    pub fn encode(&self) -> Vec<Message> {
        let file = tempfile::Builder::new().suffix(".flv").tempfile().unwrap();
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-y", "-nostdin"]);
        let seconds = self.seconds.to_string();
        if self.video {
            let source = format!("testsrc2=size={}:rate={}", self.size, self.rate);
            ffmpeg.args(["-f", "lavfi", "-t", &seconds, "-i", &source]);
        }
        if self.audio {
            let source = format!("sine=frequency=440:sample_rate={}", self.sample_rate);
            ffmpeg.args(["-f", "lavfi", "-t", &seconds, "-i", &source]);
        }
        if self.video {
            let gop = self.gop.to_string();
            ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1"]);
            ffmpeg.args(["-pix_fmt", "yuv420p", "-g", &gop, "-keyint_min", &gop]);
            ffmpeg.args(["-sc_threshold", "0", "-bf", &self.b_frames.to_string()]);
        }
        if self.audio {
            ffmpeg.args(["-c:a", "aac", "-ac", "2", "-b:a", "64k"]);
        }
        ffmpeg.args(["-flvflags", "no_duration_filesize"]);
        let done = ffmpeg.arg(file.path()).status().expect("ffmpeg runs");
        assert!(done.success(), "ffmpeg encodes {self:?}");
        flv::read(&std::fs::read(file.path()).unwrap())
    }

    /// Width and height.
    pub fn picture(&self) -> (u16, u16) {
        let (width, height) = self.size.split_once('x').unwrap();
        (width.parse().unwrap(), height.parse().unwrap())
    }
}

/// Gives a message to the muxer.
pub fn push(muxer: &mut Muxer, message: &Message, picture: (u16, u16)) {
    match message.clone() {
        Message::VideoConfig(avcc) => muxer.set_video(VideoConfig {
            codec: VideoCodec::H264(avcc),
            width: picture.0,
            height: picture.1,
            frame_rate: None,
        }),
        Message::AudioConfig(config) => muxer.set_audio(config),
        Message::Video(unit) => muxer.push_video(unit),
        Message::Audio(unit) => muxer.push_audio(unit),
    }
    .unwrap();
}

/// Muxes the messages to the end.
pub fn mux(messages: &[Message], video: bool, audio: bool) -> Vec<Output> {
    let mut muxer = Muxer::new(video, audio);
    let mut out = Vec::new();
    for message in messages {
        push(&mut muxer, message, (320, 180));
        out.extend(std::iter::from_fn(|| muxer.pop()));
    }
    muxer.finish();
    out.extend(std::iter::from_fn(|| muxer.pop()));
    out
}

/// The init segments and the fragments of each.
pub fn segments(out: &[Output]) -> Vec<(&Init, Vec<&Fragment>)> {
    let mut segments: Vec<(&Init, Vec<&Fragment>)> = Vec::new();
    for output in out {
        match output {
            Output::Init(init) => segments.push((init, Vec::new())),
            Output::Fragment(fragment) => segments.last_mut().unwrap().1.push(fragment),
        }
    }
    for (_, fragments) in &segments {
        assert!(
            fragments.first().is_none_or(|first| first.random_access),
            "an init segment is followed by a random access point"
        );
        for fragment in fragments {
            assert_eq!(&fragment.bytes[4..8], b"moof");
        }
    }
    segments
}

/// The video of one clip with the sound of another, in the order of time.
pub fn interleave(video: Vec<Message>, audio: Vec<Message>) -> Vec<Message> {
    let mut messages: Vec<Message> = video
        .into_iter()
        .filter(|message| matches!(message, Message::Video(_) | Message::VideoConfig(_)))
        .chain(
            audio
                .into_iter()
                .filter(|message| matches!(message, Message::Audio(_) | Message::AudioConfig(_))),
        )
        .collect();
    messages.sort_by_key(|message| match message {
        Message::Video(unit) | Message::Audio(unit) => 1 + unit.dts,
        _ => 0,
    });
    messages
}

/// 30 frames a second for two seconds, then three frames a second apart, then 30 again, with sound
/// all the while: six seconds.
pub fn variable_rate() -> Vec<Message> {
    let clip = Clip {
        seconds: 6,
        ..Clip::default()
    };
    let mut video = Clip {
        seconds: 3,
        ..clip.clone()
    }
    .encode();
    retime(&mut video, |ms| match ms {
        0..2010 => ms,
        2010..2110 => 2000 + (ms - 2000) / 33 * 1000,
        _ => ms + 2900,
    });
    interleave(video, clip.encode())
}

/// Two seconds of 320x180 and two of 640x360, with sound all the while, and what the muxer makes
/// of them.
pub fn size_change() -> (Vec<Message>, Vec<Output>) {
    let small = Clip {
        seconds: 2,
        ..Clip::default()
    };
    let large = Clip {
        size: "640x360",
        ..small.clone()
    };
    let whole = Clip {
        seconds: 4,
        ..small.clone()
    };
    let first = small.encode();
    let mut second = large.encode();
    retime(&mut second, |ms| ms + 2000);
    let mut muxer = Muxer::new(true, true);
    let mut out = Vec::new();
    let mut picture = small.picture();
    let mut messages = interleave(first, whole.encode());
    let config = second
        .iter()
        .find(|m| matches!(m, Message::VideoConfig(_)))
        .unwrap()
        .clone();
    let at = messages
        .iter()
        .position(|m| matches!(m, Message::Audio(unit) if unit.dts >= 2_000_000_000))
        .unwrap();
    let rest = messages.split_off(at);
    let sizes_change_at = messages.len();
    messages.push(config);
    messages.extend(interleave(
        second
            .into_iter()
            .filter(|m| matches!(m, Message::Video(_)))
            .collect(),
        rest,
    ));
    for (index, message) in messages.iter().enumerate() {
        if index == sizes_change_at {
            picture = large.picture();
        }
        push(&mut muxer, message, picture);
        out.extend(std::iter::from_fn(|| muxer.pop()));
    }
    muxer.finish();
    out.extend(std::iter::from_fn(|| muxer.pop()));
    (messages, out)
}

/// Shifts every time by what `shift` says of its milliseconds.
pub fn retime(messages: &mut [Message], shift: impl Fn(u64) -> u64) {
    for message in messages {
        if let Message::Video(unit) | Message::Audio(unit) = message {
            let offset = unit.pts - unit.dts;
            unit.dts = shift(unit.dts / 1_000_000) * 1_000_000;
            unit.pts = unit.dts + offset;
        }
    }
}
