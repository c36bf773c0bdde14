//! When a stream begins, and what bad input does to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use h5live::media::fragment::{AccessUnit, AudioConfig, Output, VideoCodec, VideoConfig};
use h5live::media::{MAX_ACCESS_UNIT, MAX_REORDER, MediaError, Muxer};

const MS: u64 = 1_000_000;

fn video_config(level: u8) -> VideoConfig {
    VideoConfig {
        codec: VideoCodec::H264(Bytes::copy_from_slice(&[
            1, 0x42, 0xc0, level, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, level, 1, 0, 2, 0x68, 0xce,
        ])),
        width: 320,
        height: 180,
        frame_rate: Some((25, 1)),
    }
}

fn audio_config() -> AudioConfig {
    AudioConfig::Aac(Bytes::from_static(&[0x11, 0x90]))
}

fn picture(ms: u64, keyframe: bool) -> AccessUnit {
    AccessUnit {
        dts: ms * MS,
        pts: ms * MS,
        keyframe,
        data: Bytes::from_static(&[0, 0, 0, 2, 0x65, 0x88]),
    }
}

fn sound(ms: u64) -> AccessUnit {
    AccessUnit {
        dts: ms * MS,
        pts: ms * MS,
        keyframe: true,
        data: Bytes::from_static(&[0x21, 0, 0, 0, 0, 0x1c]),
    }
}

fn drain(muxer: &mut Muxer) -> Vec<Output> {
    std::iter::from_fn(|| muxer.pop()).collect()
}

/// `I` a new init segment, `C` one that continues, `K` a random access point, `f` another fragment.
fn shape(out: &[Output]) -> String {
    out.iter()
        .map(|output| match output {
            Output::Init(init) if init.continues => 'C',
            Output::Init(_) => 'I',
            Output::Fragment(fragment) if fragment.random_access => 'K',
            Output::Fragment(_) => 'f',
        })
        .collect()
}

#[test]
fn a_missing_track_is_waited_for_half_a_second_and_no_picture_is_lost() {
    let mut muxer = Muxer::new(true, true);
    muxer.set_video(video_config(30)).unwrap();
    for index in 0..12 {
        muxer.push_video(picture(index * 40, index == 0)).unwrap();
    }
    assert_eq!(shape(&drain(&mut muxer)), "");
    muxer.push_video(picture(500, false)).unwrap();
    assert_eq!(shape(&drain(&mut muxer)), "IKffffffffffff");

    // It comes at last: the next keyframe begins anew, with both.
    muxer.set_audio(audio_config()).unwrap();
    muxer.push_video(picture(540, false)).unwrap();
    muxer.push_audio(sound(580)).unwrap();
    muxer.push_video(picture(580, true)).unwrap();
    let out = drain(&mut muxer);
    assert_eq!(shape(&out), "fIK");
    let Output::Init(init) = &out[1] else {
        panic!()
    };
    assert_eq!(
        init.info.mime_type,
        "video/mp4; codecs=\"avc1.42C01E, mp4a.40.2\""
    );
}

#[test]
fn sound_before_the_first_keyframe_is_dropped() {
    let mut muxer = Muxer::new(true, true);
    muxer.set_video(video_config(30)).unwrap();
    muxer.set_audio(audio_config()).unwrap();
    for index in 0..10 {
        muxer.push_audio(sound(index * 21)).unwrap();
    }
    muxer.push_video(picture(180, false)).unwrap();
    muxer.push_video(picture(200, true)).unwrap();
    assert_eq!(shape(&drain(&mut muxer)), "IK");
    // Those at 0, 21 … 168 have ended; that at 189 lasts to 210.
    assert_eq!(muxer.counts().dropped_audio, 9);
    assert_eq!(muxer.counts().dropped_video, 1);
}

#[test]
fn sound_that_is_ahead_of_the_first_keyframe_goes_out_with_it() {
    let mut muxer = Muxer::new(true, true);
    muxer.set_video(video_config(30)).unwrap();
    muxer.set_audio(audio_config()).unwrap();
    // More than may wait for a picture that comes late.
    for index in 0..20 {
        muxer.push_audio(sound(1000 + index * 21)).unwrap();
    }
    muxer.push_video(picture(1000, true)).unwrap();
    assert_eq!(shape(&drain(&mut muxer)), "IK");
    assert_eq!(muxer.counts().dropped_audio, 0);
}

#[test]
fn the_same_configuration_again_changes_nothing_and_another_continues() {
    let mut muxer = Muxer::new(true, false);
    muxer.set_video(video_config(30)).unwrap();
    muxer.push_video(picture(0, true)).unwrap();
    muxer.set_video(video_config(30)).unwrap();
    muxer.push_video(picture(40, true)).unwrap();
    muxer.set_video(video_config(31)).unwrap();
    muxer.push_video(picture(80, false)).unwrap();
    muxer.push_video(picture(120, true)).unwrap();
    assert_eq!(shape(&drain(&mut muxer)), "IKKCK");
    assert_eq!(muxer.counts().dropped_video, 1);
}

#[test]
fn a_flush_begins_anew() {
    let mut muxer = Muxer::new(true, false);
    muxer.set_video(video_config(30)).unwrap();
    muxer.push_video(picture(0, true)).unwrap();
    muxer.discontinuity();
    muxer.push_video(picture(40, false)).unwrap();
    muxer.push_video(picture(80, true)).unwrap();
    assert_eq!(shape(&drain(&mut muxer)), "IKIK");
}

#[test]
fn bad_input_is_refused_and_costs_nothing_else() {
    let mut muxer = Muxer::new(true, false);
    assert_eq!(
        muxer.push_video(picture(0, true)),
        Err(MediaError::NoConfig("video"))
    );
    muxer.set_video(video_config(30)).unwrap();
    muxer.push_video(picture(0, true)).unwrap();
    let with = |data: Bytes| AccessUnit {
        data,
        ..picture(40, false)
    };
    assert_eq!(muxer.push_video(with(Bytes::new())), Err(MediaError::Empty));
    assert_eq!(
        muxer.push_video(with(vec![0; MAX_ACCESS_UNIT + 1].into())),
        Err(MediaError::TooLarge(MAX_ACCESS_UNIT + 1))
    );
    assert_eq!(
        muxer.push_video(with(Bytes::from_static(&[0, 0, 0, 9, 1]))),
        Err(MediaError::NalUnits)
    );
    for time in [u64::MAX, u64::MAX - 1, 1 << 63] {
        let unit = AccessUnit {
            dts: time,
            ..picture(40, false)
        };
        assert_eq!(muxer.push_video(unit), Err(MediaError::Time(time)));
    }
    assert!(
        muxer
            .set_video(VideoConfig {
                width: 0,
                ..video_config(30)
            })
            .is_err()
    );
    muxer.push_video(picture(40, false)).unwrap();
    assert_eq!(shape(&drain(&mut muxer)), "IKf");
}

#[test]
fn sound_alone_can_be_joined_about_once_a_second() {
    let mut muxer = Muxer::new(false, true);
    muxer.set_audio(audio_config()).unwrap();
    for index in 0..141 {
        muxer.push_audio(sound(index * 1024 / 48)).unwrap();
    }
    let shape = shape(&drain(&mut muxer));
    assert!(shape.starts_with("IKfff"));
    assert_eq!(shape.matches('K').count(), 3);
}

#[test]
fn a_keyframe_with_times_far_apart_begins_a_stream_or_is_refused() {
    // Every bound between, since beginning anew for one must not lead to beginning anew again.
    for apart in [0, 1, 40, 999, 1000, 1001, 1100, 3000, 4999, 5000] {
        for (dts, pts) in [(10_000, 10_000 + apart), (10_000 + apart, 10_000)] {
            let mut muxer = Muxer::new(true, true);
            muxer.set_video(video_config(30)).unwrap();
            muxer.set_audio(audio_config()).unwrap();
            let (dts, pts) = (dts * MS, pts * MS);
            let unit = |by: u64| AccessUnit {
                dts: dts + by * MS,
                pts: pts + by * MS,
                ..picture(0, true)
            };
            muxer.push_video(unit(0)).unwrap();
            muxer.push_video(unit(40)).unwrap();
            assert!(shape(&drain(&mut muxer)).contains("KK"), "{dts} {pts}");
            assert!(muxer.counts().silent_audio < 300, "{dts} {pts}");

            let by = MAX_REORDER + 1;
            for (dts, pts) in [(dts, dts + by), (pts + by, pts)] {
                let refused = muxer.push_video(AccessUnit {
                    dts,
                    pts,
                    ..picture(0, true)
                });
                assert_eq!(refused, Err(MediaError::Reorder(by)));
            }
        }
    }
}
