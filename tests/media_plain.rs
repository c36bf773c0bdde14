//! Ordinary streams: what goes in comes out, frame for frame, at its own time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod media_support;

use media_support::clip::{Clip, mux, segments};
use media_support::flv::Message;
use media_support::probe::{decode, times};

/// Every video frame's presentation time in milliseconds, in order.
fn source_times(messages: &[Message]) -> Vec<u64> {
    let mut times: Vec<u64> = messages
        .iter()
        .filter_map(|message| match message {
            Message::Video(unit) => Some(unit.pts / 1_000_000),
            _ => None,
        })
        .collect();
    times.sort_unstable();
    times
}

fn audio_frames(messages: &[Message]) -> usize {
    messages
        .iter()
        .filter(|message| matches!(message, Message::Audio(_)))
        .count()
}

fn plays(clip: &Clip) {
    let messages = clip.encode();
    let out = mux(&messages, clip.video, clip.audio);
    let segments = segments(&out);
    assert_eq!(segments.len(), 1);
    let (init, fragments) = &segments[0];
    assert!(!init.continues);
    let frames = decode(init, fragments);

    let source = source_times(&messages);
    let video = times(&frames, true);
    assert_eq!(video.len(), source.len());
    for (got, want) in video.iter().zip(&source) {
        let error = got * 1000.0 - *want as f64;
        assert!(error.abs() <= 1.01, "{got} s for {want} ms");
    }
    let audio = times(&frames, false);
    assert!(
        audio.len() + 6 >= audio_frames(&messages),
        "{}",
        audio.len()
    );
    for pair in audio.windows(2) {
        let frame = 1024.0 / f64::from(clip.sample_rate);
        assert!((pair[1] - pair[0] - frame).abs() < 1e-5);
    }
    if clip.video {
        // The last audio goes out alone, when the stream ends.
        let with_video = fragments.len() - usize::from(clip.audio);
        assert_eq!(with_video, source.len(), "one fragment a video frame");
    }
}

#[test]
fn thirty_frames_a_second_with_sound() {
    plays(&Clip::default());
}

#[test]
fn b_frames() {
    plays(&Clip {
        b_frames: 2,
        ..Clip::default()
    });
}

#[test]
fn ntsc_rate() {
    plays(&Clip {
        rate: "30000/1001",
        ..Clip::default()
    });
}

#[test]
fn sound_of_44100_hertz() {
    plays(&Clip {
        sample_rate: 44_100,
        ..Clip::default()
    });
}

#[test]
fn video_alone() {
    plays(&Clip {
        audio: false,
        ..Clip::default()
    });
}

#[test]
fn sound_alone() {
    let clip = Clip {
        video: false,
        ..Clip::default()
    };
    let messages = clip.encode();
    let out = mux(&messages, false, true);
    let segments = segments(&out);
    assert_eq!(segments.len(), 1);
    let (init, fragments) = &segments[0];
    assert_eq!(init.info.mime_type, "audio/mp4; codecs=\"mp4a.40.2\"");
    let frames = decode(init, fragments);
    assert_eq!(times(&frames, false).len(), audio_frames(&messages));
    assert!(fragments.len() >= audio_frames(&messages) / 4);
}
