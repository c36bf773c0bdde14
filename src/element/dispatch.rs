//! The thread that calls the application and posts on the bus: those who serve clients never run a handler.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, ThreadId};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

use crate::http::audience::{Farewell, Turned};
use crate::http::leases::Listed;

/// Events that wait for the application; those past it are counted in `stats` (events-missed), and only
/// counted.
const WAITING: usize = 4096;

/// How long an element that stops waits for handlers that still run.
const PATIENCE: Duration = Duration::from_secs(2);

/// What happened.
pub(super) enum Event {
    Joined(Listed),
    Left(Listed, Farewell),
    Turned(Turned),
    Stop,
}

/// Where events are put. Never blocks.
#[derive(Clone)]
pub(super) struct Queue {
    events: Sender<Event>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    missed: AtomicU64,
}

/// The thread. Dropping it lets it tell what waits, and waits for that a while.
pub(super) struct Dispatcher {
    events: Sender<Event>,
    thread: ThreadId,
    ended: Receiver<()>,
}

impl Queue {
    pub fn push(&self, event: Event) {
        if self.counts.waiting.fetch_add(1, Ordering::Relaxed) < WAITING {
            // It fails where the element has stopped: then nobody asks.
            let _ = self.events.send(event);
        } else {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn missed(&self) -> u64 {
        self.counts.missed.load(Ordering::Relaxed)
    }
}

impl Dispatcher {
    pub fn start(element: &super::H5LiveAuthSink) -> io::Result<(Queue, Self)> {
        let (events, arriving) = mpsc::channel();
        let (ends, ended) = mpsc::channel();
        let counts = Arc::<Counts>::default();
        let queue = Queue {
            events: events.clone(),
            counts: Arc::clone(&counts),
        };
        let element = element.downgrade();
        let thread = thread::Builder::new()
            .name("h5live-signals".to_owned())
            .spawn(move || {
                run(&element, &arriving, &counts);
                let _ = ends.send(());
            })?;
        let dispatcher = Self {
            events,
            thread: thread.thread().id(),
            ended,
        };
        Ok((queue, dispatcher))
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Stop);
        // A handler that stops its own element would wait for itself.
        if self.thread != thread::current().id()
            && self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout)
        {
            tracing::warn!("a handler of the element's signals still runs after it was stopped");
        }
    }
}

fn run(
    element: &glib::WeakRef<super::H5LiveAuthSink>,
    arriving: &Receiver<Event>,
    counts: &Counts,
) {
    for event in arriving {
        if matches!(event, Event::Stop) {
            return;
        }
        counts.waiting.fetch_sub(1, Ordering::Relaxed);
        let Some(element) = element.upgrade() else {
            return;
        };
        let shell = element.imp();
        // A handler's panic, or ours, must not end the telling.
        shell.catch_panic(|| (), |shell| shell.tell(&event));
    }
}
