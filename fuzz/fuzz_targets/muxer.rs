//! Whatever a publisher sends, what comes out of the muxer can be read: an init segment first, and a fragment
//! of its tracks each time after it, with the bytes that went in.

#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use h5live::media::Muxer;
use h5live::media::fragment::{AccessUnit, AudioConfig, Output, VideoCodec, VideoConfig};
use h5live::media::samples::{Track, samples, tracks};
use libfuzzer_sys::fuzz_target;

/// High profile, level 1.3, NAL lengths of 4 bytes.
const AVCC: &[u8] = &[
    1, 0x64, 0x00, 0x0d, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x0d, 1, 0, 3, 0x68, 0xeb, 0xec, 0xfd,
    0xf8, 0xf8, 0,
];
/// AAC-LC, 48 kHz, two channels.
const ASC: &[u8] = &[0x11, 0x90];

/// One call of the muxer.
#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Expect(bool, bool),
    H264 {
        width: u16,
        rate: Option<(u32, u32)>,
    },
    Aac,
    Video(Codec, &'a [u8], u16, u16),
    Audio(bool, &'a [u8]),
    Picture(Unit<'a>, bool),
    Nal(u32, i16, bool, &'a [u8]),
    Sound(Unit<'a>),
    Discontinuity,
    Finish,
}

#[derive(Arbitrary, Debug)]
enum Codec {
    H264,
    H265,
    Av1,
    Av1Bare,
}

#[derive(Arbitrary, Debug)]
struct Unit<'a> {
    /// In units of 2^16 ns, so that it goes past all bounds but not at once.
    time: u32,
    /// What the picture is shown later by, in the same.
    offset: i16,
    data: &'a [u8],
}

fuzz_target!(|input: (bool, bool, Vec<Step>)| {
    let (video, audio, steps) = input;
    let mut muxer = Muxer::new(video, audio);
    let mut known: Option<Vec<Track>> = None;
    let mut is_first = false;
    for step in steps {
        take(&mut muxer, step);
        while let Some(output) = muxer.pop() {
            match output {
                Output::Init(init) => {
                    known = Some(tracks(&init.bytes).expect("an init segment"));
                    is_first = true;
                }
                Output::Fragment(fragment) => {
                    let known = known.as_ref().expect("an init segment before it");
                    let samples = samples(&fragment.bytes, known).expect("a fragment");
                    assert!(!samples.is_empty());
                    assert!(fragment.random_access || !is_first);
                    is_first = false;
                }
            }
        }
    }
});

/// What is refused is refused alone.
fn take(muxer: &mut Muxer, step: Step<'_>) {
    let _ = match step {
        Step::Expect(video, audio) => {
            muxer.expect_video(video);
            muxer.expect_audio(audio);
            Ok(())
        }
        Step::H264 { width, rate } => muxer.set_video(VideoConfig {
            codec: VideoCodec::H264(Bytes::from_static(AVCC)),
            width,
            height: 2,
            frame_rate: rate,
        }),
        Step::Aac => muxer.set_audio(AudioConfig::Aac(Bytes::from_static(ASC))),
        Step::Video(codec, record, width, height) => {
            let record = Bytes::copy_from_slice(record);
            muxer.set_video(VideoConfig {
                codec: match codec {
                    Codec::H264 => VideoCodec::H264(record),
                    Codec::H265 => VideoCodec::H265(record),
                    Codec::Av1 => VideoCodec::Av1(Some(record)),
                    Codec::Av1Bare => VideoCodec::Av1(None),
                },
                width,
                height,
                frame_rate: None,
            })
        }
        Step::Audio(is_aac, record) => {
            let record = Bytes::copy_from_slice(record);
            muxer.set_audio(match is_aac {
                true => AudioConfig::Aac(record),
                false => AudioConfig::Opus(record),
            })
        }
        Step::Picture(unit, keyframe) => muxer.push_video(unit.read(keyframe)),
        Step::Nal(time, offset, keyframe, data) => {
            let nal = [&(data.len() as u32).to_be_bytes(), data].concat();
            let unit = Unit {
                time,
                offset,
                data: &nal,
            };
            muxer.push_video(unit.read(keyframe))
        }
        Step::Sound(unit) => muxer.push_audio(unit.read(true)),
        Step::Discontinuity => {
            muxer.discontinuity();
            Ok(())
        }
        Step::Finish => {
            muxer.finish();
            Ok(())
        }
    };
}

impl Unit<'_> {
    fn read(&self, keyframe: bool) -> AccessUnit {
        let dts = u64::from(self.time) << 16;
        AccessUnit {
            dts,
            pts: dts.saturating_add_signed(i64::from(self.offset) << 16),
            keyframe,
            data: Bytes::copy_from_slice(self.data),
        }
    }
}
