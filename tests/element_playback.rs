//! A whole pipeline through `h5liveauthsink` to a WebSocket client: what arrives decodes.
//! Not covered: RTMP, and browsers.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use h5live::token::{Claims, Scope, Secret, StreamName, mint};
use tungstenite::{Message, client};

const SECRET: &str = "the secret of this pipeline";
const FRAGMENTS: usize = 60;

#[test]
fn what_a_pipeline_publishes_decodes_at_a_client_with_a_token() {
    gst::init().unwrap();
    h5live::element::register(None).unwrap();
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=30/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse \
         ! h5liveauthsink name=s stream-name=ABCDE-demo secret=\"{SECRET}\" port=0 \
         audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse ! s."
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let sink = pipeline.by_name("s").unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let port = sink.property::<u32>("bound-port");
    assert!(
        sink.property::<Option<String>>("secret").is_none(),
        "write-only"
    );

    let stream = StreamName::parse("ABCDE-demo").unwrap();
    let key = Secret::new(SECRET.as_bytes()).unwrap().key();
    let token = mint(&key, &Claims::of(Scope::Stream(stream))).token;
    let url = format!(
        "ws://127.0.0.1:{port}/h5live/authstream?stream=ABCDE-demo&token={token}&options=0"
    );
    let tcp = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let (mut socket, _) = client(url, tcp).unwrap();
    let mut file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    let mut fragments = 0;
    while fragments < FRAGMENTS {
        if let Message::Binary(bytes) = socket.read().unwrap() {
            fragments += usize::from(&bytes[4..8] == b"moof");
            file.write_all(&bytes).unwrap();
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();

    let probe = Command::new("ffprobe")
        .args(["-v", "warning", "-count_frames", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=codec_name,nb_read_frames"])
        .arg(file.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&probe.stdout);
    let warned = String::from_utf8_lossy(&probe.stderr);
    assert!(warned.is_empty(), "{warned}");
    let video = told.lines().find(|line| line.starts_with("h264,"));
    let frames: usize = video.unwrap()[5..].trim_matches(',').parse().unwrap();
    assert!(frames.abs_diff(FRAGMENTS) <= 2, "{told}");
    assert!(told.contains("aac,"), "{told}");
}
