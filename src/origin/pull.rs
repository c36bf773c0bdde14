//! One pull: from an origin to a publisher, on a thread of its own.
//!
//! The thread alone changes the pipeline's state, since that may block for as long as an origin does
//! not answer. Whoever stops a pull therefore does not wait for it: the sink lets go of its
//! publisher at once, and the thread leaves when it can.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;

use super::pipeline::{Pipeline, Recipe};
use super::table::{Location, SourceElement};
use super::watch::{Patience, Silence, Watch};
use crate::element::H5LiveAuthSink;
use crate::hub::Publisher;

/// How often a pull looks at whether it is to stop.
const PERIOD: gst::ClockTime = gst::ClockTime::from_mseconds(100);

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
    /// Another publisher has taken over.
    Replaced,
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
        let recipe = Recipe {
            element: order.element,
            location: order.location,
            timeout: order.timeout,
        };
        let script_to = Arc::downgrade(&order.publisher);
        sink.set_publisher(order.publisher);
        thread::Builder::new()
            .name("h5live-pull".to_owned())
            .spawn(move || {
                let last = Last {
                    reporter,
                    sink: sink.clone(),
                    told: false,
                };
                run(&recipe, order.patience, &sink, script_to, &stop, last);
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

fn run<R: Reporter>(
    recipe: &Recipe,
    patience: Patience,
    sink: &H5LiveAuthSink,
    script_to: Weak<Publisher>,
    stop: &AtomicBool,
    mut last: Last<R>,
) {
    let pipeline = match Pipeline::new(recipe, sink, script_to) {
        Ok(pipeline) => pipeline,
        Err(error) => return last.tell(&Ending::Failed(error.to_string())),
    };
    let ending = follow(&pipeline, patience, sink, stop);
    // Before the pipeline ends, which may take long.
    last.tell(&ending);
    drop(pipeline);
}

fn follow(
    pipeline: &Pipeline,
    patience: Patience,
    sink: &H5LiveAuthSink,
    stop: &AtomicBool,
) -> Ending {
    let Some(bus) = pipeline.bus() else {
        return Ending::Failed("the pipeline has no bus".to_owned());
    };
    let kinds = [gst::MessageType::Error, gst::MessageType::Eos];
    if stop.load(Ordering::Relaxed) {
        return Ending::Stopped;
    }
    if let Err(error) = pipeline.play() {
        let said = bus.pop_filtered(&kinds);
        let said = said.map(|message| heard(&message, pipeline));
        return said.unwrap_or_else(|| Ending::Failed(error.to_string()));
    }
    let mut watch = Watch::new(patience, Instant::now());
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ending::Stopped;
        }
        if let Some(message) = bus.timed_pop_filtered(PERIOD, &kinds) {
            return heard(&message, pipeline);
        }
        if let Some(silence) = watch.look(pipeline.bytes(), sink.fragments(), Instant::now()) {
            return Ending::Silence(silence);
        }
    }
}

fn heard(message: &gst::Message, pipeline: &Pipeline) -> Ending {
    match message.view() {
        gst::MessageView::Error(error) => Ending::Failed(error.error().to_string()),
        _ if pipeline.replaced() => Ending::Replaced,
        _ => Ending::Over,
    }
}
