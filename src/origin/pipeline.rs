//! The pipeline of one pull, and its way out.
//!
//! ```text
//! rtmpsrc | rtmp2src ! flvdemux  video ! h264parse ! h5liveauthsink.video
//!                    ▲           audio ! aacparse  ! h5liveauthsink.audio
//!                    │           other ! fakesink
//!                    └ tap
//! ```
//! There are no queues: the sink never blocks, so none of the two can hold the other up.

use std::fmt;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::table::{Location, SourceElement};
use super::tap::Tap;
use crate::element::H5LiveAuthSink;
use crate::hub::Publisher;

/// Bytes a block: `rtmpsrc` waits until one is full, so a large one delays what is in it.
const BLOCK: u32 = 64;

/// How often it is looked whether the source has come to rest.
const REST: Duration = Duration::from_millis(20);

/// What the pipeline is made of.
pub(super) struct Recipe {
    pub element: SourceElement,
    pub location: Location,
    pub timeout: Duration,
}

/// A pipeline; dropping it ends it, which may take as long as the source's timeout.
pub(super) struct Pipeline {
    pipeline: gst::Pipeline,
    element: SourceElement,
    output: gst::Pad,
    tap: Arc<Tap>,
}

impl Pipeline {
    /// Builds it, in state NULL. Script data goes to `script_to` while there is one.
    pub fn new(
        recipe: &Recipe,
        sink: &H5LiveAuthSink,
        script_to: Weak<Publisher>,
    ) -> Result<Self, glib::BoolError> {
        let pipeline = gst::Pipeline::new();
        let source = source(recipe)?;
        let demux = gst::ElementFactory::make("flvdemux").build()?;
        pipeline.add_many([&source, &demux, sink.upcast_ref()])?;
        source.link(&demux)?;
        let output = source
            .static_pad("src")
            .ok_or_else(|| glib::bool_error!("the source has no pad"))?;
        let tap = Tap::new(&output, script_to);
        // Both from the beginning: the sink then waits for the second track, and viewers are not
        // sent sound alone first and a stream with a picture afterwards.
        for track in ["video", "audio"] {
            sink.request_pad_simple(track)
                .ok_or_else(|| glib::bool_error!("the sink has no pad {track}"))?;
        }
        let weak = pipeline.downgrade();
        let to = sink.downgrade();
        demux.connect_pad_added(move |demux, pad| {
            let (Some(pipeline), Some(sink)) = (weak.upgrade(), to.upgrade()) else {
                return;
            };
            if let Err(error) = connect(&pipeline, &sink, pad) {
                gst::element_error!(demux, gst::CoreError::Pad, ["{}", error]);
            }
        });
        let to = sink.downgrade();
        demux.connect_no_more_pads(move |_| {
            let pads = to.upgrade().map(|sink| (sink.sink_pads(), sink));
            let Some((pads, sink)) = pads else { return };
            // The sink tells the end of a stream when all its pads are at theirs.
            for pad in pads.iter().filter(|pad| !pad.is_linked()) {
                sink.release_request_pad(pad);
            }
        });
        Ok(Self {
            pipeline,
            element: recipe.element,
            output,
            tap,
        })
    }

    /// Starts it, which with `rtmpsrc` includes to connect.
    pub fn play(&self) -> Result<(), gst::StateChangeError> {
        self.pipeline.set_state(gst::State::Playing).map(|_| ())
    }

    /// Where it says what happens.
    pub fn bus(&self) -> Option<gst::Bus> {
        self.pipeline.bus()
    }

    /// Bytes that have come.
    pub fn bytes(&self) -> u64 {
        self.tap.bytes()
    }

    /// Whether it has ended because another publisher has taken over.
    pub fn replaced(&self) -> bool {
        self.tap.replaced()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.tap.close();
        // A state change makes `rtmpsrc` close librtmp's session while its own thread reads from
        // it: use after free, and the process dies. So that thread comes to rest first: with the
        // next block, which the tap refuses, or with the source's timeout.
        while self.element == SourceElement::RtmpSrc
            && self.output.task_state() == gst::TaskState::Started
        {
            thread::sleep(REST);
        }
        // It cannot fail to go to NULL, and there would be nothing to do about it.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn source(recipe: &Recipe) -> Result<gst::Element, glib::BoolError> {
    let seconds = u32::try_from(recipe.timeout.as_secs()).unwrap_or(u32::MAX);
    match recipe.element {
        SourceElement::RtmpSrc => gst::ElementFactory::make("rtmpsrc")
            .property("location", recipe.location.as_str())
            .property("timeout", i32::try_from(seconds).unwrap_or(i32::MAX))
            .property("blocksize", BLOCK)
            .build(),
        SourceElement::Rtmp2Src => gst::ElementFactory::make("rtmp2src")
            .property("location", recipe.location.as_str())
            .property("timeout", seconds)
            .property("idle-timeout", seconds)
            .build(),
    }
}

fn connect(
    pipeline: &gst::Pipeline,
    sink: &H5LiveAuthSink,
    pad: &gst::Pad,
) -> Result<(), glib::BoolError> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let kind = caps.structure(0).and_then(|structure| {
        let version = structure.get::<i32>("mpegversion");
        match structure.name().as_str() {
            "video/x-h264" => Some(("h264parse", "video")),
            "audio/mpeg" if version != Ok(1) => Some(("aacparse", "audio")),
            _ => None,
        }
    });
    // A second track of a kind finds its pad taken.
    let wanted = kind.and_then(|(parser, name)| {
        let target = sink.static_pad(name).filter(|pad| !pad.is_linked())?;
        Some((parser, target))
    });
    let element = match &wanted {
        Some((parser, _)) => gst::ElementFactory::make(parser).build()?,
        None => {
            tracing::warn!(%caps, "a track of the origin is neither H.264 nor AAC and is left out");
            gst::ElementFactory::make("fakesink")
                .property("sync", false)
                .property("async", false)
                .build()?
        }
    };
    pipeline.add(&element)?;
    let end = |name| {
        element
            .static_pad(name)
            .ok_or_else(|| glib::bool_error!("{} has no pad {name}", element.name()))
    };
    if let Some((_, target)) = &wanted {
        end("src")?
            .link(target)
            .map_err(|error| failed(error, target))?;
    }
    element.sync_state_with_parent()?;
    let target = end("sink")?;
    pad.link(&target).map_err(|error| failed(error, &target))?;
    Ok(())
}

fn failed(error: impl fmt::Display, pad: &gst::Pad) -> glib::BoolError {
    glib::bool_error!("{} can't be linked ({error})", pad.name())
}
