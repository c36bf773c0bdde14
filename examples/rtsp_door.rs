//! An application that serves a test picture by RTSP, to whoever has a token for it.
//!
//! ```sh
//! cargo run --example rtsp_door
//! ```
//!
//! Prints a URL for ffplay, VLC or rtspsrc, good for an hour. Ctrl-C ends it.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use gstreamer as gst;
use h5live::element::{self, H5LiveAuthSink};
use h5live::http::admit::{Gate, KeySource, Lookup, OriginChoice};
use h5live::http::app::{self, App};
use h5live::http::{client_address, listener, verify};
use h5live::hub::{self, Hub, OriginName, Source};
use h5live::rtsp::{self, Front, Stop};
use h5live::token::{
    Claims, Key, KeyLookup, Kid, OpenStreams, Orga, Scope, Secret, StreamName, UnixSeconds, mint,
};

const HOUR: u64 = 3600;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// One key for the one stream.
struct OneKey(Key);

impl KeySource for OneKey {
    fn key<'a>(&'a self, _: &'a StreamName, _: &'a Scope, kid: Kid) -> Lookup<'a> {
        let found = (kid == self.0.kid()).then(|| KeyLookup::Found(self.0.clone()));
        Box::pin(std::future::ready(found.unwrap_or(KeyLookup::Unknown)))
    }
}

/// Whatever a viewer names, this process is where the stream comes from.
struct Here;

impl OriginChoice for Here {
    fn select(&self, _: Option<&str>, _: &Orga) -> Option<OriginName> {
        Some(OriginName::new("here"))
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    gst::init()?;
    element::register(None)?;
    let stream = StreamName::parse("ABCDE-example")?;
    // A new secret for each run: no token of an earlier one opens it.
    let key = Secret::new(gst::glib::uuid_string_random().to_string())?.key();

    let hub = Hub::new(hub::Limits::default());
    let pipeline = publish(&hub, &stream)?;
    let app = doors(&hub, key.clone())?;
    let socket = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let mut claims = Claims::of(Scope::Stream(stream.clone()));
    claims.expires = Some(UnixSeconds(now().0 + HOUR));
    let token = mint(&key, &claims);
    println!(
        "rtsp://{}/{stream}?token={}&expires={}&options={}",
        socket.local_addr()?,
        token.token,
        token.expires,
        token.options.bits()
    );
    let (front, limits, stop) = (Front::default(), rtsp::Limits::default(), Stop::new());
    let serving = rtsp::serve(socket, front, app, limits, &stop);
    tokio::select! {
        never = serving => match never? {},
        _ = tokio::signal::ctrl_c() => stop.stop(),
    }
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}

/// What is played: encoded once, whoever watches.
fn publish(hub: &Arc<Hub>, stream: &StreamName) -> Outcome<gst::Element> {
    let pipeline = gst::parse::launch(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=30/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse \
         ! h5liveauthsink name=sink",
    )?;
    let bin = pipeline.downcast_ref::<gst::Bin>().ok_or("no bin")?;
    let sink = bin.by_name("sink").ok_or("no sink")?;
    let sink = sink.downcast::<H5LiveAuthSink>().map_err(|_| "not ours")?;
    sink.set_publisher(hub.publish(&Source {
        origin: OriginName::new("here"),
        stream: stream.clone(),
    })?);
    pipeline.set_state(gst::State::Playing)?;
    Ok(pipeline)
}

/// The gate that all doors have in common, with nobody else to ask.
fn doors(hub: &Arc<Hub>, key: Key) -> Outcome<Arc<App>> {
    let gate = Gate {
        keys: Arc::new(OneKey(key)),
        origins: Arc::new(Here),
        clock: Arc::new(now),
        skew: 0,
        page_origins: Vec::new(),
        open: RwLock::new(OpenStreams::default()),
        audience: None,
    };
    let (nobody, name) = (Arc::new(client_address::Nobody), "example".to_owned());
    let (headers, limits) = (verify::Headers::default(), app::Limits::default());
    let hub = Arc::clone(hub);
    Ok(App::new(hub, gate, None, nobody, name, headers, &limits)?)
}

fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixSeconds(since.map_or(u64::MAX, |since| since.as_secs()))
}
