//! Sources whose clocks are not well: what comes out is continuous, and nothing is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod media_support;

use h5live::media::fragment::Output;
use media_support::clip::{Clip, mux, push, retime, segments, size_change, variable_rate};
use media_support::flv::Message;
use media_support::probe::{decode, times};

fn is_audio(message: &Message) -> bool {
    matches!(message, Message::Audio(_))
}

fn is_video(message: &Message) -> bool {
    matches!(message, Message::Video(_))
}

fn count(messages: &[Message], of: fn(&Message) -> bool) -> usize {
    messages.iter().filter(|message| of(message)).count()
}

/// The presentation times of the pictures that went in, in seconds.
fn source_times(messages: &[Message]) -> Vec<f64> {
    let mut times: Vec<f64> = messages
        .iter()
        .filter_map(|message| match message {
            Message::Video(unit) => Some(unit.pts as f64 / 1e9),
            _ => None,
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

fn assert_close(got: &[f64], want: &[f64], within: f64) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= within, "{got} for {want}");
    }
}

/// Every audio frame follows the one before.
fn assert_contiguous(times: &[f64], rate: f64) {
    for pair in times.windows(2) {
        let gap = pair[1] - pair[0] - 1024.0 / rate;
        assert!(gap.abs() < 1e-4, "{} then {}", pair[0], pair[1]);
    }
}

/// Decodes everything as one stream of one init segment, and gives picture and audio times.
fn one_stream(out: &[Output]) -> (Vec<f64>, Vec<f64>) {
    let segments = segments(out);
    assert_eq!(segments.len(), 1, "one init segment");
    let frames = decode(segments[0].0, &segments[0].1);
    (times(&frames, true), times(&frames, false))
}

#[test]
fn a_variable_frame_rate_keeps_its_times() {
    let messages = variable_rate();
    let (video, audio) = one_stream(&mux(&messages, true, true));
    assert_close(&video, &source_times(&messages), 0.0011);
    assert_contiguous(&audio, 48_000.0);
}

#[test]
fn a_gap_of_half_a_second_in_the_sound_is_filled() {
    let mut messages = Clip::default().encode();
    let before = count(&messages, is_audio);
    messages.retain(|message| match message {
        Message::Audio(unit) => !(1000..1500).contains(&(unit.dts / 1_000_000)),
        _ => true,
    });
    assert!(count(&messages, is_audio) + 20 < before);
    let (video, audio) = one_stream(&mux(&messages, true, true));
    assert_close(&video, &source_times(&messages), 0.0011);
    assert_contiguous(&audio, 48_000.0);
    assert!((audio.len() as i64 - before as i64).abs() <= 2);
}

#[test]
fn sound_that_comes_three_seconds_late_does_not_hold_the_picture() {
    let clip = Clip {
        seconds: 5,
        ..Clip::default()
    };
    let messages: Vec<Message> = clip
        .encode()
        .into_iter()
        .filter(|message| match message {
            Message::Audio(unit) => unit.dts >= 3_000_000_000,
            _ => true,
        })
        .collect();
    let mut muxer = h5live::media::Muxer::new(true, true);
    let mut pictures = 0;
    let mut out = Vec::new();
    for message in &messages {
        push(&mut muxer, message, (320, 180));
        let popped: Vec<Output> = std::iter::from_fn(|| muxer.pop()).collect();
        if is_video(message) {
            pictures += 1;
            assert!(
                matches!(popped.last(), Some(Output::Fragment(_))),
                "picture {pictures} goes out at once"
            );
        }
        out.extend(popped);
    }
    muxer.finish();
    out.extend(std::iter::from_fn(|| muxer.pop()));
    let (video, audio) = one_stream(&out);
    assert_eq!(video.len(), pictures);
    assert_contiguous(&audio, 48_000.0);
    assert!(audio[0] < 0.1 && audio[audio.len() - 1] > 4.8);
    assert!(muxer.counts().silent_audio > 100);
}

#[test]
fn sound_for_time_that_has_passed_is_dropped_and_counted() {
    let (video, mut audio): (Vec<Message>, Vec<Message>) = Clip::default()
        .encode()
        .into_iter()
        .partition(|message| !is_audio(message));
    // All the sound of the first second comes when two seconds of pictures have gone.
    let at = video
        .iter()
        .position(|m| matches!(m, Message::Video(unit) if unit.dts >= 2_000_000_000))
        .unwrap();
    audio.retain(|m| matches!(m, Message::Audio(unit) if unit.dts < 1_000_000_000));
    let mut messages = video;
    let late = audio.len() as u64;
    messages.splice(at..at, audio);
    let mut muxer = h5live::media::Muxer::new(true, true);
    for message in &messages {
        push(&mut muxer, message, (320, 180));
    }
    assert_eq!(muxer.counts().dropped_audio, late);
}

#[test]
fn times_that_begin_at_1000_hours() {
    let mut messages = Clip::default().encode();
    retime(&mut messages, |ms| ms + 3_600_000_000);
    let (video, audio) = one_stream(&mux(&messages, true, true));
    assert_close(&video, &source_times(&messages), 0.0011);
    assert_contiguous(&audio, 48_000.0);
}

#[test]
fn a_few_milliseconds_backwards_lose_no_picture() {
    let mut messages = Clip::default().encode();
    // Every tenth picture is stamped 40 ms early: before the picture in front of it.
    let mut index = 0;
    for message in &mut messages {
        if let Message::Video(unit) = message {
            index += 1;
            if index % 10 == 5 {
                unit.dts -= 40_000_000;
                unit.pts -= 40_000_000;
            }
        }
    }
    let (video, _) = one_stream(&mux(&messages, true, true));
    assert_eq!(video.len(), count(&messages, is_video));
    for pair in video.windows(2) {
        assert!(pair[1] > pair[0]);
    }
}

/// A source that begins anew, `shift` away, after two of four seconds.
fn jump(shift: impl Fn(u64) -> u64) -> (usize, usize) {
    let clip = Clip {
        seconds: 4,
        ..Clip::default()
    };
    let mut messages = clip.encode();
    retime(&mut messages, |ms| {
        if ms < 2100 {
            100_000 + ms
        } else {
            shift(100_000 + ms)
        }
    });
    let out = mux(&messages, true, true);
    let segments = segments(&out);
    assert_eq!(segments.len(), 2);
    assert!(!segments[1].0.continues);
    let mut pictures = 0;
    for (init, fragments) in &segments {
        let frames = decode(init, fragments);
        assert_contiguous(&times(&frames, false), 48_000.0);
        pictures += times(&frames, true).len();
    }
    (pictures, count(&messages, is_video))
}

#[test]
fn a_jump_begins_anew_at_the_next_keyframe() {
    // The keyframe at 2 s stands just before the jump: the pictures up to that at 3 s are lost.
    let (pictures, source) = jump(|ms| ms + 60_000);
    assert!(
        (source - 30..source).contains(&pictures),
        "{pictures} of {source}"
    );
    let (pictures, source) = jump(|ms| ms - 60_000);
    assert!(
        (source - 30..source).contains(&pictures),
        "{pictures} of {source}"
    );
}

#[test]
fn another_picture_size_continues_the_timeline() {
    let (messages, out) = size_change();
    let segments = segments(&out);
    assert_eq!(segments.len(), 2);
    assert!(segments[1].0.continues);
    assert_eq!(segments[1].0.info.video.as_ref().unwrap().width, 640);
    let mut video = Vec::new();
    let mut audio = Vec::new();
    for (init, fragments) in &segments {
        let frames = decode(init, fragments);
        video.extend(times(&frames, true));
        audio.extend(times(&frames, false));
    }
    assert_close(&video, &source_times(&messages), 0.0011);
    assert_contiguous(&audio, 48_000.0);
}
