//! The stream of this bench: 720p30 at 2.5 Mbit/s with a keyframe each second, and AAC at 128 kbit/s.
//!
//! The pictures are no pictures, but all around them is real: our own muxer makes every fragment. It
//! does so before anything is measured, because muxing happens once a stream and not once a reader.
//! What a reader checks stands at the head of each picture:
//!
//! ```text
//! fragment   moof, mdat (8 bytes)
//! picture    NAL unit length (4)  NAL unit header (1)  STAMP  padding
//! STAMP      nanoseconds of publication (8)  1 for a keyframe (1)
//! ```

use bytes::Bytes;
use h5live::media::Muxer;
use h5live::media::fragment::{
    AccessUnit, AudioConfig, Fragment, Init, Output, VideoCodec, VideoConfig,
};

pub const FRAMES_PER_SECOND: u64 = 30;

const VIDEO_BYTES_PER_SECOND: usize = 2_500_000 / 8;
/// About seven times a delta frame, as x264 does it at this rate with a keyframe each second.
const KEYFRAME_BYTES: usize = 60_000;
const AUDIO_RATE: u64 = 48_000;
const AUDIO_FRAME: u64 = 1024;
const AUDIO_BYTES: usize = (128_000 / 8 * AUDIO_FRAME / AUDIO_RATE) as usize;

/// How far behind the start of a picture's NAL unit the stamp stands.
const STAMP_IN_PICTURE: usize = 5;
const STAMP: usize = 9;

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
    pub fn make(seconds: u64) -> Self {
        let mut muxer = Muxer::new(true, true);
        // A minimal avcC of Main profile, level 3.1.
        let avcc = [
            1, 0x4D, 0x40, 0x1F, 0xFF, 0xE1, 0, 4, 0x67, 0x4D, 0x40, 0x1F, 1, 0, 3, 0x68, 0xEE,
            0x3C,
        ];
        muxer
            .set_video(VideoConfig {
                codec: VideoCodec::H264(Bytes::copy_from_slice(&avcc)),
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
        let mut audio_frames = 0;
        for frame in 0..seconds * FRAMES_PER_SECOND {
            let at = frame * 1_000_000_000 / FRAMES_PER_SECOND;
            while audio_time(audio_frames) <= at {
                let unit = unit(audio_time(audio_frames), true, vec![0x5A; AUDIO_BYTES]);
                muxer.push_audio(unit).expect("a frame of audio");
                audio_frames += 1;
            }
            let keyframe = frame % FRAMES_PER_SECOND == 0;
            let unit = unit(at, keyframe, picture(frame, keyframe));
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

fn picture(frame: u64, keyframe: bool) -> Vec<u8> {
    let length = if keyframe {
        KEYFRAME_BYTES
    } else {
        let mean = (VIDEO_BYTES_PER_SECOND - KEYFRAME_BYTES) / (FRAMES_PER_SECOND as usize - 1);
        // Sizes differ by a third either way, always in the same order, and keep the mean.
        let swing = [0, 20, -33, 10, 33, -20, -10][(frame % 7) as usize];
        (mean as i64 * (100 + swing) / 100) as usize
    };
    let mut data = vec![0xA5; length];
    let nal_length = (length - 4) as u32;
    data[..4].copy_from_slice(&nal_length.to_be_bytes());
    data[4] = if keyframe { 0x65 } else { 0x41 };
    data[STAMP_IN_PICTURE..STAMP_IN_PICTURE + STAMP].fill(0);
    data[STAMP_IN_PICTURE + 8] = u8::from(keyframe);
    data
}

fn stamp_at(fragment: &[u8]) -> Option<usize> {
    let moof = fragment.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*moof) as usize + 8 + STAMP_IN_PICTURE)
}

/// Says in the fragment when it was published.
pub fn stamp(fragment: &mut [u8], nanos: u64) {
    let at = stamp_at(fragment).expect("a fragment begins with a moof");
    fragment[at..at + 8].copy_from_slice(&nanos.to_be_bytes());
}

/// Reads the head of a message; nothing where that is no fragment.
pub fn see(message: &[u8]) -> Option<Seen> {
    if message.get(4..8)? != b"moof" {
        return None;
    }
    // moof (8), mfhd (8), version and flags (4), sequence number (ISO/IEC 14496-12, 8.8.5).
    let sequence = message.get(20..)?.first_chunk::<4>()?;
    let stamp = message.get(stamp_at(message)?..)?;
    Some(Seen {
        sequence: u32::from_be_bytes(*sequence),
        published: u64::from_be_bytes(*stamp.first_chunk::<8>()?),
        keyframe: *stamp.get(8)? == 1,
    })
}
