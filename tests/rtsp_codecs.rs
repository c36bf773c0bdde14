//! What else than H.264 and AAC goes out by RTSP: an element in this process publishes it, ffmpeg plays it, and
//! what has no payloader is refused. Not covered: RTMP, which carries none of these.
#![cfg(feature = "rtsp")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/ffmpeg_rtsp.rs"]
mod ffmpeg_rtsp;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use ffmpeg_rtsp::decode;
use gstreamer as gst;
use gstreamer::prelude::*;
use h5live::element::H5LiveAuthSink;
use h5live::http::admit::{Gate, KeySource, Lookup, OriginChoice};
use h5live::http::app::{self, App};
use h5live::http::{client_address, listener, verify};
use h5live::hub::{self, Hub, OriginName, Source};
use h5live::rtsp::{self, Front, Stop};
use h5live::token::{
    Claims, Key, KeyLookup, Kid, OpenStreams, Orga, Scope, Secret, StreamName, UnixSeconds, mint,
};

const PATIENCE: Duration = Duration::from_secs(60);

struct OneKey(Key);

impl KeySource for OneKey {
    fn key<'a>(&'a self, _: &'a StreamName, _: &'a Scope, _: Kid) -> Lookup<'a> {
        Box::pin(std::future::ready(KeyLookup::Found(self.0.clone())))
    }
}

struct Here;

impl OriginChoice for Here {
    fn select(&self, _: Option<&str>, _: &Orga) -> Option<OriginName> {
        Some(OriginName::new("here"))
    }
}

/// A stream and its door.
struct Site {
    pipeline: gst::Element,
    url: String,
    port: u16,
    _runtime: tokio::runtime::Runtime,
}

impl Site {
    fn start(branches: &str) -> Site {
        gst::init().unwrap();
        h5live::element::register(None).unwrap();
        let stream = StreamName::parse("ABCDE-demo").unwrap();
        let key = Secret::new(b"the secret of these codecs").unwrap().key();
        let hub = Hub::new(hub::Limits::default());
        let pipeline = gst::parse::launch(&format!("h5liveauthsink name=s {branches}")).unwrap();
        let sink = pipeline.downcast_ref::<gst::Bin>().unwrap().by_name("s");
        let source = Source {
            origin: OriginName::new("here"),
            stream: stream.clone(),
        };
        let publisher = hub.publish(&source).unwrap();
        let sink = sink.unwrap().downcast::<H5LiveAuthSink>().unwrap();
        sink.set_publisher(publisher);
        pipeline.set_state(gst::State::Playing).unwrap();

        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _within = runtime.enter();
        let socket = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let gate = Gate {
            keys: Arc::new(OneKey(key.clone())),
            origins: Arc::new(Here),
            clock: Arc::new(|| UnixSeconds(1_700_000_000)),
            skew: 0,
            page_origins: Vec::new(),
            open: RwLock::new(OpenStreams::default()),
            audience: None,
        };
        let (headers, limits) = (verify::Headers::default(), app::Limits::default());
        let nobody = Arc::new(client_address::Nobody);
        let app = App::new(hub, gate, None, nobody, String::new(), headers, &limits).unwrap();
        runtime.spawn(async move {
            let stop = Stop::new();
            rtsp::serve(
                socket,
                Front::default(),
                app,
                rtsp::Limits::default(),
                &stop,
            )
            .await
        });
        let token = mint(&key, &Claims::of(Scope::Stream(stream)));
        let (token, options) = (token.token, token.options);
        let url = format!("rtsp://127.0.0.1:{port}/ABCDE-demo?token={token}&options={options}");
        drop(_within);
        Site {
            pipeline,
            url,
            port,
            _runtime: runtime,
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[test]
fn h265_with_reordered_pictures_and_opus() {
    let site = Site::start(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=30/1 \
         ! x265enc speed-preset=ultrafast key-int-max=30 option-string=\"bframes=3:open-gop=0\" \
         ! h265parse ! s. \
         audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! opusenc ! opusparse ! s.",
    );
    // A slow encoder's first picture may come after the first sound, which then is a stream of its own.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let probed = Command::new("timeout")
            .args(["60", "ffprobe", "-v", "error", "-rtsp_transport", "tcp"])
            .args([
                "-show_entries",
                "stream=codec_name",
                "-of",
                "csv=p=0",
                &site.url,
            ])
            .output()
            .unwrap();
        let names = String::from_utf8_lossy(&probed.stdout);
        if names.split_whitespace().eq(["hevc", "opus"]) {
            break;
        }
        assert!(Instant::now() < deadline, "{probed:?}");
    }
    decode(&site.url, "tcp");
}

#[test]
fn av1_plays_where_gstreamer_can_and_is_refused_where_not() {
    let site = Site::start(
        "videotestsrc is-live=true ! video/x-raw,width=160,height=90,framerate=15/1 \
         ! av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=15 ! av1parse ! s.",
    );
    let mut client = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("DESCRIBE {} RTSP/1.0\r\nCSeq: 1\r\n\r\n", site.url);
    client.write_all(request.as_bytes()).unwrap();
    let mut said = [0; 512];
    let count = client.read(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..count]);
    let expected = match gst::ElementFactory::find("rtpav1pay") {
        Some(_) => "RTSP/1.0 200 OK",
        None => "RTSP/1.0 415 Unsupported Media Type",
    };
    assert!(said.starts_with(expected), "{said}");
}
