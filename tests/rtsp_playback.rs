//! Players play a stream by RTSP: GStreamer's rtspsrc in this process and ffmpeg, by TCP, by UDP and over TLS.
//! ffmpeg → h5live-server → player.
//!
//! Not covered: VLC, which Debian's tests would need a screen for; other codecs (`rtsp_codecs.rs`).
#![cfg(all(feature = "server", feature = "rtsp"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/ffmpeg_rtsp.rs"]
mod ffmpeg_rtsp;
mod support;

use std::io::{Read, Write};

use ffmpeg_rtsp::decode;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use gstreamer_rtsp_server::gio;
use support::https::{self, Pair};
use support::rtsp::{Rtsp, Site, token};
use tempfile::TempDir;

const PICTURES: usize = 60;

/// A player's pipeline, which also one that fails leaves in order.
struct Player(gst::Pipeline);

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// Plays two seconds with rtspsrc, both tracks; who comes first gets the last keyframe first.
fn play(url: &str, protocols: &str, certificate: Option<&Pair>, first: bool) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!(
        "rtspsrc name=s latency=200 protocols={protocols} \
         s. ! application/x-rtp,media=video ! rtph264depay ! h264parse \
            ! video/x-h264,alignment=au ! appsink name=video sync=false max-buffers=1000 \
         s. ! application/x-rtp,media=audio ! rtpmp4gdepay ! appsink name=audio sync=false max-buffers=1000"
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let player = Player(pipeline);
    let pipeline = &player.0;
    let source = pipeline.by_name("s").unwrap();
    source.set_property("location", url);
    if let Some(pair) = certificate {
        let database = gio::TlsFileDatabase::new(&pair.certificate).unwrap();
        source.set_property("tls-database", &database);
    }
    pipeline.set_state(gst::State::Playing).unwrap();
    let sink = |name: &str| {
        pipeline
            .by_name(name)
            .unwrap()
            .downcast::<AppSink>()
            .unwrap()
    };
    let pull = |sink: &AppSink| {
        let patience = gst::ClockTime::from_seconds(30);
        sink.try_pull_sample(patience).unwrap_or_else(|| {
            let error = pipeline
                .bus()
                .unwrap()
                .pop_filtered(&[gst::MessageType::Error]);
            panic!("{protocols}: {} has nothing: {error:?}", sink.name())
        })
    };
    let (video, audio) = (sink("video"), sink("audio"));
    let mut pictures: Vec<(gst::ClockTime, bool)> = Vec::new();
    // On a busy machine datagrams may be lost, a keyframe's too.
    while pictures.len() < PICTURES || pictures.iter().filter(|(_, key)| *key).count() < 2 {
        let sample = pull(&video);
        let buffer = sample.buffer().unwrap();
        let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        pictures.extend(buffer.pts().map(|pts| (pts, keyframe)));
    }
    assert!(pictures[0].1 || !first, "{protocols}: no keyframe first");
    let mut sounds = Vec::new();
    while sounds.len() < 80 {
        // The jitter buffer leaves the time of some to what follows.
        sounds.extend(pull(&audio).buffer().unwrap().pts());
    }
    // Together: the sound's beginning is not far from the keyframe's.
    let apart = pictures[0].0.max(sounds[0]) - pictures[0].0.min(sounds[0]);
    let near = gst::ClockTime::from_seconds(1);
    assert!(apart < near || !first, "{protocols}: {apart}");
}

#[test]
fn rtspsrc_and_ffmpeg_play_by_tcp_and_udp() {
    let site = Site::start("", "");
    let url = site.url(&token("guest", Some(3600)));
    for transport in ["tcp", "udp"] {
        // The second may still meet the first's pipeline.
        play(&url, transport, None, transport == "tcp");
        decode(&url, transport);
    }
    // Side by side from one pipeline, whatever each is sent by.
    let mut staying = Rtsp::connect(site.rtsp);
    staying.play(&site.url(&token("staying", None)));
    let source = staying.source();
    std::thread::scope(|scope| {
        for transport in ["udp", "tcp"] {
            scope.spawn(|| play(&url, transport, None, false));
        }
    });
    assert_eq!(staying.source(), source);
}

#[test]
fn they_play_over_tls_and_nothing_leaves_it() {
    let directory = TempDir::new().unwrap();
    let pair = Pair::write(directory.path());
    let site = Site::start_tls((pair.certificate.clone(), pair.key.clone()));
    let url = site.url(&token("guest", Some(3600)));
    assert!(url.starts_with("rtsps://"), "{url}");
    play(&url, "tcp+tls", Some(&pair), true);
    decode(&url, "tcp");
    // Who asks for datagrams is not sent what TLS would have hidden; nobody is heard without TLS.
    let mut tls = https::connect(site.rtsp, &Pair::client(&[&pair.der], &[])).unwrap();
    let base = url.split('?').next().unwrap();
    let request = format!(
        "DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\nSETUP {base}/stream=0 RTSP/1.0\r\nCSeq: 2\r\n\
         Transport: RTP/AVP;unicast;client_port=9000-9001\r\n\r\n"
    );
    tls.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    let asked = |text: &str| text.contains("m=video") && text.contains("CSeq: 2\r\n");
    while !asked(&said) {
        let mut some = [0; 4096];
        let count = tls.read(&mut some).unwrap();
        assert!(count > 0, "{said}");
        said += std::str::from_utf8(&some[..count]).unwrap();
    }
    assert!(
        said.contains("RTSP/1.0 461 Unsupported Transport\r\nCSeq: 2"),
        "{said}"
    );
    let mut plain = Rtsp::connect(site.rtsp);
    plain.send("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    assert!(plain.answer().is_none());
}
