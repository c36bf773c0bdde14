//! What Chromium makes of our fragments, appended one by one.
#![cfg(feature = "doors")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod media_support;
#[path = "media_support/mse.rs"]
mod mse;

use h5live::media::fragment::{AccessUnit, Output};
use media_support::clip::{Clip, mux, retime, segments};
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
    eprintln!("{seen:?}");
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

/// Drops pictures until only those remain for which `keep` holds.
fn thin(messages: Vec<Message>, keep: impl Fn(&AccessUnit) -> bool) -> Vec<Message> {
    messages
        .into_iter()
        .filter(|message| match message {
            Message::Video(unit) => keep(unit),
            _ => true,
        })
        .collect()
}

#[tokio::test]
async fn one_frame_a_second_for_a_while() {
    // All pictures are keyframes' neighbours: a GOP of 1 lets us take any of them away.
    let clip = Clip {
        gop: 1,
        seconds: 6,
        ..Clip::default()
    };
    let messages = thin(clip.encode(), |unit| {
        let ms = unit.dts / 1_000_000;
        !(2000..4000).contains(&ms) || ms % 1000 == 0
    });
    plays_whole(&messages, 6.0).await;
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
