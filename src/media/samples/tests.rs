#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;

use super::super::fragment::{AccessUnit, AudioConfig, AudioInfo, Output, VideoCodec, VideoConfig};
use super::{Format, Sample, Track, samples, tracks};
use crate::media::Muxer;

const AVCC: &[u8] = &[
    1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0, 0x1e, 1, 0, 3, 0x68, 0xeb, 0xec,
];
const ASC: &[u8] = &[0x11, 0x90];
const MS: u64 = 1_000_000;

fn unit(dts_ms: u64, pts_ms: u64, keyframe: bool, data: &[u8]) -> AccessUnit {
    AccessUnit {
        dts: dts_ms * MS,
        pts: pts_ms * MS,
        keyframe,
        data: Bytes::copy_from_slice(data),
    }
}

fn picture(content: u8) -> Vec<u8> {
    vec![0, 0, 0, 2, 0x65, content]
}

/// A second of reordered pictures and of sound, as the muxer puts it out.
fn output(audio: AudioConfig) -> Vec<Output> {
    let mut muxer = Muxer::new(true, true);
    let config = VideoConfig {
        codec: VideoCodec::H264(Bytes::from_static(AVCC)),
        width: 640,
        height: 360,
        frame_rate: Some((25, 1)),
    };
    muxer.set_video(config).unwrap();
    muxer.set_audio(audio).unwrap();
    for frame in 0..25_u64 {
        let at = frame * 40;
        let pts = at + [80, 120, 40][frame as usize % 3];
        for sound in 0..2 {
            let at = at + sound * 20;
            muxer.push_audio(unit(at, at, true, &[0xfc, 1, 2])).unwrap();
        }
        let picture = unit(at, pts, frame == 0, &picture(frame as u8));
        muxer.push_video(picture).unwrap();
    }
    muxer.finish();
    std::iter::from_fn(|| muxer.pop()).collect()
}

fn read(output: &[Output]) -> (Vec<Track>, Vec<Sample>) {
    let mut known = Vec::new();
    let mut found = Vec::new();
    for piece in output {
        match piece {
            Output::Init(init) => known = tracks(&init.bytes).unwrap(),
            Output::Fragment(fragment) => found.extend(samples(&fragment.bytes, &known).unwrap()),
        }
    }
    (known, found)
}

#[test]
fn what_went_in_comes_out_again() {
    let (tracks, samples) = read(&output(AudioConfig::Aac(Bytes::from_static(ASC))));
    let [video, audio] = &tracks[..] else {
        panic!("{tracks:?}");
    };
    let Format::Video(config) = &video.format else {
        panic!("{video:?}");
    };
    assert_eq!((config.width, config.height), (640, 360));
    assert_eq!(config.codec, VideoCodec::H264(Bytes::from_static(AVCC)));
    let info = AudioInfo {
        sample_rate: 48_000,
        channels: 2,
    };
    let aac = AudioConfig::Aac(Bytes::from_static(ASC));
    assert_eq!(audio.format, Format::Audio(aac, info));

    let pictures: Vec<_> = samples.iter().filter(|it| it.track == video.id).collect();
    assert_eq!(pictures.len(), 25);
    for (frame, sample) in pictures.iter().enumerate() {
        assert_eq!(sample.data, picture(frame as u8), "{frame}");
        assert_eq!(sample.keyframe, frame == 0, "{frame}");
    }
    let presented =
        |sample: &Sample| sample.decode + u64::from(sample.composition_offset) - video.edit;
    let first = presented(pictures[0]);
    let ms: Vec<_> = pictures[..4]
        .iter()
        .map(|sample| (presented(sample) as i64 - first as i64) * 1000 / 90_000)
        .collect();
    assert_eq!(ms, [0, 80, 40, 120]);
    let sounds = samples.iter().filter(|it| it.track == audio.id);
    let sounds: Vec<_> = sounds.collect();
    assert!(sounds.len() > 40, "{}", sounds.len());
    for pair in sounds.windows(2) {
        assert_eq!(pair[0].duration, 1024);
        assert_eq!(pair[0].decode + 1024, pair[1].decode);
    }
}

#[test]
fn an_opus_header_is_the_one_that_was_given() {
    let head = Bytes::from_static(b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00");
    let (tracks, _) = read(&output(AudioConfig::Opus(head.clone())));
    let opus = tracks.iter().find_map(|track| match &track.format {
        Format::Audio(config, info) => Some((config.clone(), info.clone(), track.edit)),
        Format::Video(_) => None,
    });
    let info = AudioInfo {
        sample_rate: 48_000,
        channels: 2,
    };
    assert_eq!(opus, Some((AudioConfig::Opus(head), info, 312)));
}

#[test]
fn every_cut_and_every_changed_byte_is_an_answer_and_no_panic() {
    let output = output(AudioConfig::Aac(Bytes::from_static(ASC)));
    let Output::Init(init) = &output[0] else {
        panic!("no init segment first");
    };
    let known = tracks(&init.bytes).unwrap();
    for length in 0..init.bytes.len() {
        assert!(tracks(&init.bytes.slice(..length)).is_err(), "{length}");
    }
    let Output::Fragment(fragment) = &output[1] else {
        panic!("no fragment second");
    };
    for length in 0..fragment.bytes.len() {
        let cut = fragment.bytes.slice(..length);
        assert!(samples(&cut, &known).is_err(), "{length}");
    }
    for (at, value) in (0..init.bytes.len()).flat_map(|at| [(at, 0xff), (at, 0)]) {
        let mut changed = init.bytes.to_vec();
        changed[at] = value;
        let _ = tracks(&changed.into());
    }
    for (at, value) in (0..fragment.bytes.len()).flat_map(|at| [(at, 0xff), (at, 0)]) {
        let mut changed = fragment.bytes.to_vec();
        changed[at] = value;
        let _ = samples(&changed.into(), &known);
    }
}
