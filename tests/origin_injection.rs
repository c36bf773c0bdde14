//! librtmp reads a location as `url key=value …`: whoever can put a space into one chooses what is
//! dialled and what is played (security.md). Every layer that takes a text is given such texts while
//! a listener waits that must see no connection; whatever a layer lets pass is pulled, so that the
//! listener would see it. The first two tests show that GStreamer's own `rtmpsrc` does as it is told.
//! Not covered: the doors, which read names and URLs by these same functions.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/hub_viewer.rs"]
mod viewer;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use gstreamer as gst;
use gstreamer::prelude::*;
use h5live::hub::{Hub, Limits, OriginName};
use h5live::origin::{OriginConfig, Origins, Settings, SourceElement, Supervisor};
use h5live::token::StreamName;
use support::origin::Origin;
use support::process::wait_until;
use viewer::Viewer;

const STREAM: &str = "ABCDE-demo";

/// Counts connections and hangs up on them.
struct Listener {
    listener: TcpListener,
    port: u16,
    seen: usize,
}

impl Listener {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = 0;
        Self {
            listener,
            port,
            seen,
        }
    }

    fn seen(&mut self) -> usize {
        while self.listener.accept().is_ok() {
            self.seen += 1;
        }
        self.seen
    }
}

/// The operator's origin, and the attacker's listener.
struct Bench {
    operator: Listener,
    trap: Listener,
}

impl Bench {
    fn new() -> Self {
        Self {
            operator: Listener::new(),
            trap: Listener::new(),
        }
    }

    /// The text with both ports in it.
    fn fill(&self, text: &str) -> String {
        let operator = format!("127.0.0.1:{}", self.operator.port);
        let trap = format!("127.0.0.1:{}", self.trap.port);
        text.replace("OPERATOR", &operator).replace("TRAP", &trap)
    }

    fn config(&self, element: SourceElement) -> OriginConfig {
        OriginConfig {
            element,
            ..OriginConfig::new("main", &self.fill("rtmp://OPERATOR/live"))
        }
    }

    /// Pulls a stream until one of the listeners sees it; it must be the operator's.
    fn pull(&mut self, origins: Origins, origin: &OriginName, stream: &StreamName, why: &str) {
        let hub = Hub::new(Limits::default());
        let supervisor = Supervisor::new(origins, &hub, Settings::default()).unwrap();
        hub.set_demand(Arc::clone(&supervisor) as _);
        let viewer = Viewer::join(&hub, origin, stream);
        let before = self.operator.seen();
        wait_until("a dial", || {
            (self.operator.seen() > before || self.trap.seen() > 0).then_some(())
        });
        drop(viewer);
        supervisor.shutdown();
        assert_eq!(self.trap.seen(), 0, "{why:?} chose what was dialled");
    }

    /// Shows that pulling works at all, and that until then nothing has come to the trap.
    fn finish(mut self) {
        for element in [SourceElement::RtmpSrc, SourceElement::Rtmp2Src] {
            let origins = Origins::new(&[self.config(element)]).unwrap();
            let stream = StreamName::parse(STREAM).unwrap();
            self.pull(origins, &OriginName::new("main"), &stream, "an honest name");
        }
    }
}

#[test]
fn gstreamers_rtmpsrc_dials_whatever_a_location_says() {
    gst::init().unwrap();
    for location in [
        "rtmp://OPERATOR/live/ABCDE-x socks=TRAP",
        "rtmp://OPERATOR/live/ABCDE-x live=1 socks=TRAP",
        "rtmp://OPERATOR/live socks=TRAP/ABCDE-x live=1",
        "rtmp://TRAP/live/ABCDE-x",
    ] {
        let mut bench = Bench::new();
        let source = gst::ElementFactory::make("rtmpsrc")
            .property("location", bench.fill(location))
            .property("timeout", 3)
            .build()
            .unwrap();
        thread::scope(|scope| {
            // It connects in there, and fails when the listener hangs up.
            scope.spawn(|| source.set_state(gst::State::Paused));
            wait_until(location, || (bench.trap.seen() > 0).then_some(()));
        });
        source.set_state(gst::State::Null).unwrap();
        assert_eq!(bench.operator.seen(), 0, "{location}");
    }
}

#[test]
fn gstreamers_rtmpsrc_plays_whatever_a_location_says() {
    gst::init().unwrap();
    let origin = Origin::start();
    let location = format!(
        "{}/ABCDE-mine live=1 playpath=ABCDE-other",
        origin.url("live")
    );
    let source = gst::ElementFactory::make("rtmpsrc")
        .property("location", location)
        .property("timeout", 1)
        .build()
        .unwrap();
    let sink = gst::ElementFactory::make("fakesink").build().unwrap();
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, &sink]).unwrap();
    source.link(&sink).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    // It must not be stopped while it reads (see `origin_pull`): its timeout ends that.
    let ended = [gst::MessageType::Error, gst::MessageType::Eos];
    let patience = gst::ClockTime::from_seconds(30);
    let message = pipeline.bus().unwrap().timed_pop_filtered(patience, &ended);
    assert!(message.is_some());
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(origin.plays("ABCDE-mine"), 0);
    assert_eq!(origin.plays("ABCDE-other"), 1);
}

#[test]
fn no_stream_name_dials_the_trap() {
    let mut bench = Bench::new();
    for name in [
        "ABCDE-x socks=TRAP",
        "x socks=TRAP",
        " socks=TRAP",
        "ABCDE-x%20socks=TRAP",
        "ABCDE-x+socks=TRAP",
        "ABCDE-x\\20socks=TRAP",
        "ABCDE-x\tsocks=TRAP",
        "ABCDE-x\nsocks=TRAP",
        "ABCDE-x\r\nsocks=TRAP",
        "ABCDE-x\u{b}socks=TRAP",
        "ABCDE-x\u{c}socks=TRAP",
        "ABCDE-x\0socks=TRAP",
        "ABCDE-x\u{a0}socks=TRAP",
        "ABCDE-x\u{2028}socks=TRAP",
        "ABCDE-x\" socks=\"TRAP",
        "ABCDE-x' socks='TRAP",
        "ABCDE-x live=0 socks=TRAP",
        "ABCDE-x tcUrl=rtmp://TRAP/live",
        "ABCDE-x%20playpath=other",
        "ABCDE-x playpath=other",
        "ABCDE-x?a=b socks=TRAP",
        "ABCDE-x=y",
        "../x socks=TRAP",
        "ABCDE-x/../../../TRAP/live/y",
        "@TRAP/live/ABCDE-x",
    ] {
        let name = bench.fill(name);
        let Ok(stream) = StreamName::parse(&name) else {
            continue;
        };
        let origins = Origins::new(&[bench.config(SourceElement::RtmpSrc)]).unwrap();
        bench.pull(origins, &OriginName::new("main"), &stream, &name);
        panic!("{name:?} is a stream name");
    }
    bench.finish();
}

#[test]
fn no_url_of_the_operator_carries_options() {
    let mut bench = Bench::new();
    for url in [
        "rtmp://OPERATOR/live socks=TRAP",
        "rtmp://OPERATOR/live socks=TRAP/",
        " rtmp://OPERATOR/live socks=TRAP",
        "rtmp://OPERATOR/live%20socks=TRAP",
        "rtmp://OPERATOR/live+socks=TRAP",
        "rtmp://OPERATOR/live\\20socks=TRAP",
        "rtmp://OPERATOR/live\tsocks=TRAP",
        "rtmp://OPERATOR/live\nsocks=TRAP",
        "rtmp://OPERATOR/live\0socks=TRAP",
        "rtmp://OPERATOR/live\u{a0}socks=TRAP",
        "rtmp://OPERATOR/\"live\" socks=TRAP",
        "rtmp://OPERATOR/'live' socks=TRAP",
        "rtmp://OPERATOR/live?x socks=TRAP",
        "rtmp://OPERATOR/live#x socks=TRAP",
        "rtmp://OPERATOR/live/x y socks=TRAP",
        "rtmp://OPERATOR socks=TRAP/live",
        "rtmp://user:a socks=TRAP@OPERATOR/live",
        "socks=TRAP rtmp://OPERATOR/live",
    ] {
        let url = bench.fill(url);
        let stream = StreamName::parse(STREAM).unwrap();
        let main = OriginName::new("main");
        for config in [
            OriginConfig::new("main", &url),
            OriginConfig {
                aliases: vec![url.clone()],
                ..bench.config(SourceElement::RtmpSrc)
            },
        ] {
            if let Ok(origins) = Origins::new(&[config]) {
                bench.pull(origins, &main, &stream, &url);
                panic!("{url:?} is an origin's URL");
            }
        }
    }
    bench.finish();
}

#[test]
fn no_url_of_a_viewer_is_dialled() {
    let mut bench = Bench::new();
    for url in [
        "rtmp://TRAP/live",
        "rtmp://TRAP/live/../live",
        "rtmps://TRAP/live",
        "rtmp://OPERATOR/live socks=TRAP",
        "rtmp://OPERATOR/live%20socks=TRAP",
        "rtmp://OPERATOR/live+socks=TRAP",
        "rtmp://OPERATOR/live\tsocks=TRAP",
        "rtmp://OPERATOR/live?socks=TRAP",
        "rtmp://OPERATOR/live#socks=TRAP",
        "rtmp://OPERATOR@TRAP/live",
        "rtmp://TRAP@OPERATOR/live",
        "rtmp://TRAP#@OPERATOR/live",
        "rtmp://TRAP\\@OPERATOR/live",
        "rtmp://TRAP/@OPERATOR/live",
        "rtmp://OPERATOR/live\nrtmp://TRAP/live",
        "rtmp:\\\\TRAP\\live",
        "//TRAP/live",
        "TRAP/live",
        "http://TRAP/live",
        "file:///TRAP/live",
    ] {
        let url = bench.fill(url);
        let origins = Origins::new(&[bench.config(SourceElement::RtmpSrc)]).unwrap();
        if let Some(origin) = origins.select(&url) {
            let stream = StreamName::parse(STREAM).unwrap();
            bench.pull(origins, &origin, &stream, &url);
            panic!("{url:?} selects an origin");
        }
    }
    bench.finish();
}

#[test]
fn a_url_that_selects_by_an_alias_is_not_dialled_either() {
    for element in [SourceElement::RtmpSrc, SourceElement::Rtmp2Src] {
        let mut bench = Bench::new();
        let alias = bench.fill("rtmp://TRAP/live");
        let origins = Origins::new(&[OriginConfig {
            aliases: vec![alias.clone()],
            ..bench.config(element)
        }]);
        let origins = origins.unwrap();
        let origin = origins.select(&alias).expect("it is an alias");
        let stream = StreamName::parse(STREAM).unwrap();
        bench.pull(origins, &origin, &stream, &alias);
    }
}
