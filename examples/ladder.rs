//! A ladder: one RTMP source, transcoded into two gated streams, a large picture and a small one.
//!
//! ```sh
//! cargo run --example ladder -- rtmp://127.0.0.1/live/ABCDE-demo FILE-WITH-THE-SECRET
//! ```
//!
//! Prints a playlist's URL for each rung, with a token that is good for an hour and for this rung only. The
//! sound is not transcoded. Ctrl-C ends it.

use std::time::{SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use gstreamer as gst;
use h5live::token::{Claims, Key, Scope, Secret, StreamName, UnixSeconds, mint};

/// Name, width, height and kbit/s.
const RUNGS: [(&str, u32, u32, u32); 2] = [
    ("ABCDE-720p", 1280, 720, 2500),
    ("ABCDE-360p", 640, 360, 800),
];

const HOUR: u64 = 3600;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    gst::init()?;
    h5live::element::register(None)?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [location, secret_file] = &arguments[..] else {
        return Err("usage: ladder RTMP-URL SECRET-FILE".into());
    };
    let pipeline = gst::parse::launch(&description())?
        .downcast::<gst::Pipeline>()
        .map_err(|_| "not a pipeline")?;
    let source = pipeline.by_name("source").ok_or("no source")?;
    source.set_property("location", location);
    let sinks = RUNGS.map(|(name, ..)| pipeline.by_name(name));
    for sink in sinks.iter().flatten() {
        sink.set_property("secret-file", secret_file);
    }
    pipeline.set_state(gst::State::Playing)?;

    let key = Secret::new(std::fs::read_to_string(secret_file)?.trim_end())?.key();
    for (sink, (name, ..)) in sinks.iter().flatten().zip(RUNGS) {
        let port: u32 = sink.property("bound-port");
        let query = query(&key, StreamName::parse(name)?)?;
        println!("http://127.0.0.1:{port}/h5live/authhttp/playlist.m3u8?{query}");
    }
    let outcome = run(&pipeline);
    pipeline.set_state(gst::State::Null)?;
    outcome
}

/// What gst-launch-1.0 would be given. Queues, so that the encoders work side by side; those of the encoders
/// let go of what is late, instead of making the source wait.
fn description() -> String {
    let mut text = String::from(
        "rtmp2src name=source ! flvdemux name=demux \
         demux.video ! queue ! decodebin ! tee name=pictures \
         demux.audio ! queue ! aacparse ! tee name=sound ",
    );
    for (name, width, height, kbits) in RUNGS {
        text += &format!(
            "pictures. ! queue leaky=downstream max-size-buffers=5 ! videoscale \
               ! video/x-raw,width={width},height={height} ! videoconvert \
               ! x264enc tune=zerolatency speed-preset=ultrafast bitrate={kbits} key-int-max=60 \
               ! h264parse ! h5liveauthsink name={name} stream-name={name} port=0 \
             sound. ! queue ! {name}. "
        );
    }
    text
}

/// A token for whoever has the URL, for one rung and an hour.
fn query(key: &Key, stream: StreamName) -> Outcome<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut claims = Claims::of(Scope::Stream(stream.clone()));
    claims.expires = Some(UnixSeconds(now + HOUR));
    let minted = mint(key, &claims);
    Ok(format!(
        "stream={stream}&token={}&expires={}&options={}",
        minted.token,
        minted.expires,
        minted.options.bits()
    ))
}

/// Until the source ends, or something can't go on.
fn run(pipeline: &gst::Pipeline) -> Outcome<()> {
    let bus = pipeline.bus().ok_or("a pipeline has a bus")?;
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::NONE, &wanted);
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().to_string().into()),
        _ => Ok(()),
    }
}
