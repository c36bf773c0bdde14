//! The stream of this bench: 720p30 at 2.5 Mbit/s, or another bit rate, with a keyframe each second, and AAC
//! at 128 kbit/s. It decodes, to grey and to silence.
//!
//! Our own muxer makes every fragment. It does so before anything is measured, because muxing happens once a
//! stream and not once a reader. The stamp that a reader looks for stands in an SEI at the head of each picture
//! (`picture.rs`), which is the first sample behind the `mdat`'s own head.

#[path = "picture.rs"]
mod picture;

use bytes::Bytes;
use h5live::media::Muxer;
use h5live::media::fragment::{
    AccessUnit, AudioConfig, Fragment, Init, Output, VideoCodec, VideoConfig,
};

pub const FRAMES_PER_SECOND: u64 = 30;

/// Of the video, in kbit/s.
pub const KBIT: u64 = 2500;
const AUDIO_RATE: u64 = 48_000;
const AUDIO_FRAME: u64 = 1024;
const AUDIO_BYTES: usize = (128_000 / 8 * AUDIO_FRAME / AUDIO_RATE) as usize;

/// A stream, made in advance.
pub struct Stream {
    pub init: Init,
    pub frames: Vec<Fragment>,
}

/// What a reader finds in a fragment.
pub struct Seen {
    pub sequence: u32,
    pub published: u64,
    pub keyframe: bool,
}

impl Stream {
    /// `kbit`: of the video, in kbit/s.
    pub fn make(kbit: u64, seconds: u64) -> Self {
        let mut muxer = Muxer::new(true, true);
        muxer
            .set_video(VideoConfig {
                codec: VideoCodec::H264(picture::configuration()),
                width: 1280,
                height: 720,
                frame_rate: Some((30, 1)),
            })
            .expect("an avcC");
        // AAC-LC, 48 kHz, two channels.
        let asc = Bytes::from_static(&[0x11, 0x90]);
        muxer
            .set_audio(AudioConfig::Aac(asc))
            .expect("an AudioSpecificConfig");
        // Each is made once, so that making them is no part of what muxing takes.
        let silence = picture::silence(AUDIO_BYTES);
        let picture = |number| picture::picture(number, picture_bytes(kbit, number));
        let pictures: Vec<Vec<u8>> = (0..FRAMES_PER_SECOND).map(picture).collect();
        let mut audio_frames = 0;
        for frame in 0..seconds * FRAMES_PER_SECOND {
            let at = frame * 1_000_000_000 / FRAMES_PER_SECOND;
            while audio_time(audio_frames) <= at {
                let unit = unit(audio_time(audio_frames), true, silence.clone());
                muxer.push_audio(unit).expect("a frame of audio");
                audio_frames += 1;
            }
            let number = frame % FRAMES_PER_SECOND;
            let data = pictures[number as usize].clone();
            let unit = unit(at, number == 0, data);
            muxer.push_video(unit).expect("a picture");
        }
        let mut init = None;
        let mut frames = Vec::new();
        while let Some(output) = muxer.pop() {
            match output {
                Output::Init(first) => init = init.or(Some(first)),
                Output::Fragment(fragment) => frames.push(fragment),
            }
        }
        assert_eq!(frames.len() as u64, seconds * FRAMES_PER_SECOND);
        let init = init.expect("a stream begins with its init segment");
        Self { init, frames }
    }
}

fn audio_time(frames: u64) -> u64 {
    frames * AUDIO_FRAME * 1_000_000_000 / AUDIO_RATE
}

fn unit(at: u64, keyframe: bool, data: Vec<u8>) -> AccessUnit {
    AccessUnit {
        dts: at,
        pts: at,
        keyframe,
        data: data.into(),
    }
}

/// About seven times a delta frame, as x264 does it at 2.5 Mbit/s with a keyframe each second.
pub fn keyframe_bytes(kbit: u64) -> usize {
    kbit as usize * 24
}

/// Of picture `number` of a second.
fn picture_bytes(kbit: u64, number: u64) -> usize {
    if number == 0 {
        return keyframe_bytes(kbit);
    }
    let left = kbit as usize * 125 - keyframe_bytes(kbit);
    let mean = left / (FRAMES_PER_SECOND as usize - 1);
    // Sizes differ by a third either way, always in the same order, and keep the mean.
    let swing = [0, 20, -33, 10, 33, -20, -10][(number % 7) as usize];
    (mean as i64 * (100 + swing) / 100) as usize
}

/// The picture, and whatever is behind it.
fn picture_at(fragment: &[u8]) -> Option<usize> {
    let moof = fragment.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*moof) as usize + 8)
}

/// Says in the fragment when it was published.
pub fn stamp(fragment: &mut [u8], nanos: u64) {
    let at = picture_at(fragment).expect("a fragment begins with a moof");
    picture::stamp(&mut fragment[at..], nanos);
}

/// Reads the head of a message; nothing where that is no fragment.
pub fn see(message: &[u8]) -> Option<Seen> {
    if message.get(4..8)? != b"moof" {
        return None;
    }
    // moof (8), mfhd (8), version and flags (4), sequence number (ISO/IEC 14496-12, 8.8.5).
    let sequence = message.get(20..)?.first_chunk::<4>()?;
    let (published, keyframe) = picture::stamped(message.get(picture_at(message)?..)?)?;
    Some(Seen {
        sequence: u32::from_be_bytes(*sequence),
        published,
        keyframe,
    })
}
