//! What Chromium makes of our fragments, appended one by one.
#![cfg(feature = "doors")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod media_support;
#[path = "media_support/mse.rs"]
mod mse;

use h5live::media::fragment::Output;
use media_support::clip::{Clip, mux, retime, segments, size_change, variable_rate};
use media_support::flv::Message;
use mse::{Plan, play};

fn pictures(messages: &[Message]) -> u64 {
    messages
        .iter()
        .filter(|message| matches!(message, Message::Video(_)))
        .count() as u64
}

/// Plays all of it in one SourceBuffer: one range, every picture decoded, no error.
async fn plays_whole(messages: &[Message], seconds: f64) {
    let out = mux(messages, true, true);
    let segments = segments(&out);
    assert_eq!(segments.len(), 1, "one init segment");
    plays(&out, pictures(messages), seconds).await;
}

async fn plays(out: &[Output], pictures: u64, seconds: f64) {
    let segments = segments(out);
    let mut plan = Plan::new(segments[0].0, &segments[0].1);
    for (init, fragments) in &segments[1..] {
        plan.then(init, fragments);
    }
    let seen = play(&plan).await;
    assert_eq!(seen.errors, Vec::<String>::new());
    assert_eq!(seen.buffered.len(), 1, "{seen:?}");
    let (start, end) = seen.buffered[0];
    assert!(start < 0.05, "{seen:?}");
    assert!((end - seconds).abs() < 0.35, "{seen:?}");
    assert_eq!(seen.frames, pictures, "{seen:?}");
}

#[tokio::test]
async fn an_ordinary_stream() {
    plays_whole(&Clip::default().encode(), 3.0).await;
}

#[tokio::test]
async fn b_frames() {
    let clip = Clip {
        b_frames: 2,
        ..Clip::default()
    };
    plays_whole(&clip.encode(), 3.0).await;
}

#[tokio::test]
async fn one_frame_a_second_for_a_while() {
    plays_whole(&variable_rate(), 5.9).await;
}

#[tokio::test]
async fn sound_is_lost_for_half_a_second() {
    let mut messages = Clip::default().encode();
    messages.retain(|message| match message {
        Message::Audio(unit) => !(1000..1500).contains(&(unit.dts / 1_000_000)),
        _ => true,
    });
    plays_whole(&messages, 3.0).await;
}

#[tokio::test]
async fn times_that_begin_at_1000_hours() {
    let mut messages = Clip::default().encode();
    retime(&mut messages, |ms| ms + 3_600_000_000);
    plays_whole(&messages, 3.0).await;
}

#[tokio::test]
async fn another_picture_size() {
    let (messages, out) = size_change();
    plays(&out, pictures(&messages), 4.0).await;
}

#[tokio::test]
async fn both_sides_of_a_jump() {
    let clip = Clip {
        seconds: 4,
        ..Clip::default()
    };
    let mut messages = clip.encode();
    retime(&mut messages, |ms| if ms < 2010 { ms } else { ms + 60_000 });
    let out = mux(&messages, true, true);
    let segments = segments(&out);
    assert_eq!(segments.len(), 2);
    for (init, fragments) in &segments {
        let seen = play(&Plan::new(init, fragments)).await;
        assert_eq!(seen.errors, Vec::<String>::new());
        assert_eq!(seen.frames, 60, "{seen:?}");
        assert_eq!(seen.buffered.len(), 1, "{seen:?}");
    }
}

#[tokio::test]
async fn a_player_joins_b_frames_at_the_last_keyframe() {
    let clip = Clip {
        b_frames: 2,
        ..Clip::default()
    };
    joins(&clip.encode(), 30).await;
}

#[tokio::test]
async fn a_player_joins_at_a_keyframe_after_a_gap() {
    // 800 ms are missing in front of the last keyframe: its decode time lags behind.
    let clip = Clip {
        seconds: 2,
        ..Clip::default()
    };
    let mut messages = clip.encode();
    retime(&mut messages, |ms| if ms < 1010 { ms } else { ms + 800 });
    joins(&messages, 30).await;
}

/// Starts at the last random access point, which `pictures` follow.
async fn joins(messages: &[Message], pictures: u64) {
    let out = mux(messages, true, true);
    let segments = segments(&out);
    assert_eq!(segments.len(), 1);
    let (init, fragments) = &segments[0];
    let at = fragments
        .iter()
        .rposition(|fragment| fragment.random_access)
        .unwrap();
    let seen = play(&Plan::new(init, &fragments[at..])).await;
    assert_eq!(seen.errors, Vec::<String>::new());
    assert_eq!(seen.frames, pictures, "{seen:?}");
    assert_eq!(seen.buffered.len(), 1, "{seen:?}");
    assert!(seen.buffered[0].0 < 0.05, "{seen:?}");
}
