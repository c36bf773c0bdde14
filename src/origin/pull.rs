//! One pull: a pipeline from an origin to a publisher, on a thread of its own.
//!
//! ```text
//! rtmpsrc | rtmp2src ! flvdemux  video ! h264parse ! h5liveauthsink.video
//!                                audio ! aacparse  ! h5liveauthsink.audio
//!                                other ! fakesink
//! ```
//! There are no queues: the sink never blocks, so none of the two can hold the other up.
//!
//! The thread alone changes the pipeline's state, since that may block for more than a minute with
//! an origin that does not answer. Whoever stops a pull therefore does not wait for it: the sink
//! lets go of its publisher at once, and the thread leaves when it can.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::script::Scanner;
use super::table::{Location, SourceElement};
use super::watch::{Patience, Silence, Watch};
use crate::element::H5LiveAuthSink;
use crate::hub::Publisher;

/// How often a pull looks at whether it is to stop.
const PERIOD: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Bytes a block: `rtmpsrc` waits until one is full, so a large one delays what is in it.
const BLOCK: u32 = 64;

/// What to pull.
pub(super) struct Order {
    pub element: SourceElement,
    pub location: Location,
    pub timeout: Duration,
    pub patience: Patience,
    pub publisher: Arc<Publisher>,
}

/// How a pull ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// It was told to.
    Stopped,
    /// The origin says that the stream is over.
    Over,
    /// The watch's verdict.
    Silence(Silence),
    /// GStreamer's or the origin's words.
    Failed(String),
}

/// Who hears what becomes of a pull.
pub(super) trait Reporter: Send + 'static {
    /// Nothing more comes of it. `played`: media had come.
    fn ended(&self, ending: &Ending, played: bool);
    /// Its thread leaves; called once, as the last.
    fn gone(&self);
}

/// A pull's handle. Dropping it stops the pull.
pub(super) struct Pull {
    sink: H5LiveAuthSink,
    stop: Arc<AtomicBool>,
}

impl Pull {
    /// Begins. Does not wait for the origin.
    pub fn start(order: Order, reporter: impl Reporter) -> io::Result<Self> {
        let sink = H5LiveAuthSink::new();
        let stop = Arc::<AtomicBool>::default();
        let pull = Self {
            sink: sink.clone(),
            stop: Arc::clone(&stop),
        };
        let (recipe, publisher) = Recipe::new(order);
        let script_to = Arc::downgrade(&publisher);
        sink.set_publisher(publisher);
        thread::Builder::new()
            .name("h5live-pull".to_owned())
            .spawn(move || {
                let last = Last {
                    reporter,
                    sink: sink.clone(),
                    told: false,
                };
                run(&recipe, &sink, script_to, &stop, last);
            })?;
        Ok(pull)
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.sink.detach();
    }
}

struct Recipe {
    element: SourceElement,
    location: Location,
    timeout: Duration,
    patience: Patience,
}

impl Recipe {
    fn new(order: Order) -> (Self, Arc<Publisher>) {
        let Order {
            element,
            location,
            timeout,
            patience,
            publisher,
        } = order;
        let recipe = Self {
            element,
            location,
            timeout,
            patience,
        };
        (recipe, publisher)
    }

    fn source(&self) -> Result<gst::Element, glib::BoolError> {
        let seconds = u32::try_from(self.timeout.as_secs()).unwrap_or(u32::MAX);
        match self.element {
            SourceElement::RtmpSrc => gst::ElementFactory::make("rtmpsrc")
                .property("location", self.location.as_str())
                .property("timeout", i32::try_from(seconds).unwrap_or(i32::MAX))
                .property("blocksize", BLOCK)
                .build(),
            SourceElement::Rtmp2Src => gst::ElementFactory::make("rtmp2src")
                .property("location", self.location.as_str())
                .property("timeout", seconds)
                .property("idle-timeout", seconds)
                .build(),
        }
    }
}

/// Says the last words of a pull, also where its thread panics.
struct Last<R: Reporter> {
    reporter: R,
    sink: H5LiveAuthSink,
    told: bool,
}

impl<R: Reporter> Last<R> {
    fn tell(&mut self, ending: &Ending) {
        self.told = true;
        self.sink.detach();
        self.reporter.ended(ending, self.sink.fragments() > 0);
    }
}

impl<R: Reporter> Drop for Last<R> {
    fn drop(&mut self) {
        if !self.told {
            self.tell(&Ending::Failed("the pull's thread failed".to_owned()));
        }
        self.reporter.gone();
    }
}

type ScriptTo = std::sync::Weak<Publisher>;

fn run<R: Reporter>(
    recipe: &Recipe,
    sink: &H5LiveAuthSink,
    script_to: ScriptTo,
    stop: &AtomicBool,
    mut last: Last<R>,
) {
    let bytes = Arc::<AtomicU64>::default();
    let pipeline = match build(recipe, sink, script_to, Arc::clone(&bytes)) {
        Ok(pipeline) => pipeline,
        Err(error) => return last.tell(&Ending::Failed(error.to_string())),
    };
    let ending = follow(&pipeline, recipe.patience, sink, &bytes, stop);
    // Before the state change, which may take long.
    last.tell(&ending);
    // It cannot fail to go to NULL, and there would be nothing to do about it.
    let _ = pipeline.set_state(gst::State::Null);
}

fn follow(
    pipeline: &gst::Pipeline,
    patience: Patience,
    sink: &H5LiveAuthSink,
    bytes: &AtomicU64,
    stop: &AtomicBool,
) -> Ending {
    let Some(bus) = pipeline.bus() else {
        return Ending::Failed("the pipeline has no bus".to_owned());
    };
    let kinds = [gst::MessageType::Error, gst::MessageType::Eos];
    if stop.load(Ordering::Relaxed) {
        return Ending::Stopped;
    }
    if let Err(error) = pipeline.set_state(gst::State::Playing) {
        let said = bus.pop_filtered(&kinds).map(|message| heard(&message));
        return said.unwrap_or_else(|| Ending::Failed(error.to_string()));
    }
    let mut watch = Watch::new(patience, Instant::now());
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ending::Stopped;
        }
        if let Some(message) = bus.timed_pop_filtered(PERIOD, &kinds) {
            return heard(&message);
        }
        let bytes = bytes.load(Ordering::Relaxed);
        if let Some(silence) = watch.look(bytes, sink.fragments(), Instant::now()) {
            return Ending::Silence(silence);
        }
    }
}

fn heard(message: &gst::Message) -> Ending {
    match message.view() {
        gst::MessageView::Error(error) => Ending::Failed(error.error().to_string()),
        _ => Ending::Over,
    }
}

fn build(
    recipe: &Recipe,
    sink: &H5LiveAuthSink,
    script_to: ScriptTo,
    bytes: Arc<AtomicU64>,
) -> Result<gst::Pipeline, glib::BoolError> {
    let pipeline = gst::Pipeline::new();
    let source = recipe.source()?;
    let demux = gst::ElementFactory::make("flvdemux").build()?;
    pipeline.add_many([&source, &demux, sink.upcast_ref()])?;
    source.link(&demux)?;
    if let Some(pad) = source.static_pad("src") {
        listen(&pad, script_to, bytes);
    }
    // Before the tracks are known: a sink that has only heard of the first would begin without the
    // second, and begin anew when that comes.
    let expected = ["video", "audio"].map(|name| sink.request_pad_simple(name));
    demux.connect_no_more_pads(move |_| expected.iter().flatten().for_each(give_back));
    let weak = pipeline.downgrade();
    let sink = sink.downgrade();
    demux.connect_pad_added(move |demux, pad| {
        let (Some(pipeline), Some(sink)) = (weak.upgrade(), sink.upgrade()) else {
            return;
        };
        if let Err(error) = connect(&pipeline, &sink, pad) {
            gst::element_error!(demux, gst::CoreError::Pad, ["{}", error]);
        }
    });
    Ok(pipeline)
}

/// Counts what comes and hands on the script data in it.
fn listen(pad: &gst::Pad, script_to: ScriptTo, bytes: Arc<AtomicU64>) {
    let scanner = std::sync::Mutex::new(Scanner::new());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(map) = info.buffer().and_then(|buffer| buffer.map_readable().ok()) {
            bytes.fetch_add(map.len() as u64, Ordering::Relaxed);
            let mut scanner = scanner
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            for script in scanner.scan(&map) {
                if let Some(publisher) = script_to.upgrade() {
                    publisher.metadata(&script.handler, &script.message);
                }
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// A track that does not come must not be waited for.
fn give_back(pad: &gst::Pad) {
    if let Some(sink) = pad.parent_element().filter(|_| !pad.is_linked()) {
        sink.release_request_pad(pad);
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
    let wanted = kind.and_then(|(parser, name)| {
        let free = sink.static_pad(name).filter(|pad| !pad.is_linked());
        Some((parser, free.or_else(|| sink.request_pad_simple(name))?))
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
