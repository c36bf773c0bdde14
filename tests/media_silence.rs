//! A silent frame of every channel configuration decodes to digital silence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod media_support;

use bytes::Bytes;
use h5live::media::Muxer;
use h5live::media::fragment::{AccessUnit, AudioConfig, Output, VideoCodec, VideoConfig};
use media_support::clip::{Clip, segments};
use media_support::flv::Message;
use media_support::probe::samples;

const RATES: [(u8, u64); 2] = [(3, 48_000), (4, 44_100)];

/// Video runs for two seconds, and audio of that configuration is announced and never comes.
fn silence(video: &[Message], configuration: u8, rate_index: u8) -> Vec<Output> {
    let mut muxer = Muxer::new(true, true);
    let asc = [0x10 | rate_index >> 1, rate_index << 7 | configuration << 3];
    muxer
        .set_audio(AudioConfig::Aac(Bytes::copy_from_slice(&asc)))
        .unwrap();
    for message in video {
        match message.clone() {
            Message::VideoConfig(avcc) => muxer
                .set_video(VideoConfig {
                    codec: VideoCodec::H264(avcc),
                    width: 320,
                    height: 180,
                    frame_rate: Some((30, 1)),
                })
                .unwrap(),
            Message::Video(unit) => muxer.push_video(unit).unwrap(),
            _ => {}
        }
    }
    muxer.finish();
    std::iter::from_fn(|| muxer.pop()).collect()
}

#[test]
fn every_channel_configuration_is_silent() {
    let clip = Clip {
        seconds: 2,
        audio: false,
        ..Clip::default()
    };
    let video = clip.encode();
    for configuration in 1..=7_u8 {
        for (rate_index, rate) in RATES {
            let out = silence(&video, configuration, rate_index);
            let segments = segments(&out);
            let (init, fragments) = &segments[0];
            let channels = init.info.audio.as_ref().unwrap().channels;
            assert_eq!(channels, if configuration == 7 { 8 } else { configuration });

            let samples = samples(init, fragments);
            let seconds = samples.len() as u64 / u64::from(channels) * 1000 / rate;
            assert!((1600..=2000).contains(&seconds), "{seconds} ms");
            assert!(samples.iter().all(|&sample| sample == 0), "{configuration}");
        }
    }
}

#[test]
fn silence_gives_way_to_sound() {
    let messages = Clip::default().encode();
    // The sound of the second second is lost.
    let kept: Vec<Message> = messages
        .into_iter()
        .filter(|message| match message {
            Message::Audio(AccessUnit { dts, .. }) => !(1_000_000_000..2_000_000_000).contains(dts),
            _ => true,
        })
        .collect();
    let out = media_support::clip::mux(&kept, true, true);
    let segments = segments(&out);
    assert_eq!(segments.len(), 1);
    let samples = samples(segments[0].0, &segments[0].1);
    let loudest = |range: std::ops::Range<usize>| {
        samples[range.start * 96..range.end * 96]
            .iter()
            .map(|s| s.abs())
            .max()
            .unwrap()
    };
    assert!(loudest(500..950) > 1000);
    assert_eq!(loudest(1100..1900), 0);
    assert!(loudest(2100..2500) > 1000);
}
