//! A live test picture and tone through an `h5liveauthsink` with doors of its own.

#![allow(dead_code)] // each test uses a part of it

use gstreamer as gst;
use gstreamer::prelude::*;
use h5live::token::{Key, Secret, StreamName};

const SECRET: &str = "the secret of this pipeline";

/// A pipeline that plays until it is dropped.
pub struct Live {
    pipeline: gst::Pipeline,
    /// The element.
    pub sink: gst::Element,
    /// Where its doors are, on 127.0.0.1.
    pub port: u16,
}

/// The stream that [`Live`] publishes.
pub fn stream() -> StreamName {
    StreamName::parse("ABCDE-demo").unwrap()
}

/// The key that its tokens are signed with.
pub fn key() -> Key {
    Secret::new(SECRET.as_bytes()).unwrap().key()
}

impl Live {
    /// Starts 320x180 at 30 frames a second, constrained baseline, a keyframe each second, and AAC.
    pub fn start() -> Self {
        let live = Self::ready(
            "videotestsrc is-live=true pattern=ball \
             ! video/x-raw,width=320,height=180,framerate=30/1 \
             ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 \
             ! video/x-h264,profile=constrained-baseline ! h264parse ! s. \
             audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse ! s.",
        );
        live.play();
        live
    }

    /// Opens the doors of the element `s`, which these branches lead to, and plays nothing yet where
    /// their sources are live.
    pub fn ready(branches: &str) -> Self {
        gst::init().unwrap();
        h5live::element::register(None).unwrap();
        let pipeline = gst::parse::launch(&format!(
            "h5liveauthsink name=s stream-name={} secret=\"{SECRET}\" port=0 {branches}",
            stream()
        ))
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
        let sink = pipeline.by_name("s").unwrap();
        pipeline.set_state(gst::State::Paused).unwrap();
        let port = sink.property::<u32>("bound-port").try_into().unwrap();
        Self {
            pipeline,
            sink,
            port,
        }
    }

    /// Plays.
    pub fn play(&self) {
        self.pipeline.set_state(gst::State::Playing).unwrap();
    }

    /// Waits until every sink has had all of it.
    pub fn end(self) {
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let patience = gst::ClockTime::from_seconds(60);
        let message = self.pipeline.bus().unwrap();
        let message = message.timed_pop_filtered(patience, &ends).unwrap();
        assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
