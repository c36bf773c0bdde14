//! An application whose pictures are its own: it pushes them through `appsrc` into a gated stream, and mints
//! the tokens that open it.
//!
//! ```sh
//! cargo run --example app_source
//! ```
//!
//! Prints a URL for a viewer whose token is bound to an hour and to the tag "guest". Ctrl-C ends it.

use std::time::{SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSrc;
use h5live::token::{Claims, Key, Scope, Secret, StreamName, Tag, UnixSeconds, mint};

const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const FRAMES_PER_SECOND: u64 = 30;
const HOUR: u64 = 3600;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    gst::init()?;
    h5live::element::register(None)?;
    let stream = StreamName::parse("ABCDE-example")?;
    // A new secret for each run: no token of an earlier one opens it. 128 bits of the system's generator.
    let secret = gst::glib::uuid_string_random().to_string();
    let pipeline = gst::parse::launch(&format!(
        "appsrc name=pictures is-live=true format=time \
           caps=video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate={FRAMES_PER_SECOND}/1 \
         ! videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse \
         ! h5liveauthsink name=sink port=0 stream-name={stream}"
    ))?
    .downcast::<gst::Pipeline>()
    .map_err(|_| "not a pipeline")?;
    let sink = pipeline.by_name("sink").ok_or("no sink")?;
    sink.set_property("secret", &secret);
    let pictures = pipeline.by_name("pictures").ok_or("no appsrc")?;
    let pictures = pictures.downcast::<AppSrc>().map_err(|_| "not an appsrc")?;
    pipeline.set_state(gst::State::Playing)?;

    let port: u32 = sink.property("bound-port");
    let key = Secret::new(secret)?.key();
    println!(
        "http://127.0.0.1:{port}/h5live/authhttp/playlist.m3u8?{}",
        query(&key, stream)?
    );
    push(&pictures)?;
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

/// A token for one viewer, as its URL has it.
fn query(key: &Key, stream: StreamName) -> Outcome<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut claims = Claims::of(Scope::Stream(stream.clone()));
    claims.expires = Some(UnixSeconds(now + HOUR));
    claims.tag = Some(Tag::parse("guest")?);
    let minted = mint(key, &claims);
    Ok(format!(
        "stream={stream}&token={}&expires={}&options={}&tag={}",
        minted.token,
        minted.expires,
        minted.options.bits(),
        minted.tag
    ))
}

/// A bar that moves, one picture after another, until the pipeline ends.
fn push(pictures: &AppSrc) -> Outcome<()> {
    let clock = gst::SystemClock::obtain();
    for number in 0.. {
        let bar = (number as usize * 4) % WIDTH;
        let line: Vec<u8> = (0..WIDTH)
            .map(|x| if x.abs_diff(bar) < 8 { 235 } else { 16 })
            .collect();
        let mut buffer = gst::Buffer::from_slice(line.repeat(HEIGHT));
        let time = gst::ClockTime::SECOND * number / FRAMES_PER_SECOND;
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time);
            buffer.set_duration(gst::ClockTime::SECOND / FRAMES_PER_SECOND);
        }
        pictures.push_buffer(buffer)?;
        // As a camera would: one picture when it is due.
        let started = pictures.base_time().unwrap_or_else(|| clock.time());
        let due = clock.new_single_shot_id(started + time);
        let _ = due.wait();
    }
    Ok(())
}
