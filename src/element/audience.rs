//! What the doors ask and tell of clients, on its way to the application: `authorize-client` at once, all
//! else by the [`Dispatcher`](super::dispatch::Dispatcher)'s thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use tokio::sync::{Semaphore, oneshot};

use super::dispatch::{Event, Queue};
use super::signals;
use crate::http::audience::{Asked, Audience, Farewell, Turned, Word};
use crate::http::leases::Listed;
use crate::token::{Facts, Grant, UnixSeconds};

/// Handlers of `authorize-client` that may run at once, each on a thread; a client that comes while so many
/// hang is refused.
const HANDLERS: usize = 64;

/// Asks and tells one element's application.
pub(super) struct Listeners {
    element: glib::WeakRef<super::H5LiveAuthSink>,
    queue: Queue,
    timeout: Duration,
    handlers: Arc<Semaphore>,
    pub counts: ClientCounts,
}

/// Since the last start.
#[derive(Default)]
pub(super) struct ClientCounts {
    pub added: AtomicU64,
    pub removed: AtomicU64,
    pub denied: AtomicU64,
    pub dropped: AtomicU64,
}

impl Listeners {
    pub fn new(element: &super::H5LiveAuthSink, queue: Queue, timeout: Duration) -> Self {
        Self {
            element: element.downgrade(),
            queue,
            timeout,
            handlers: Arc::new(Semaphore::new(HANDLERS)),
            counts: ClientCounts::default(),
        }
    }

    /// Events that nobody was told of, because too many waited.
    pub fn missed(&self) -> u64 {
        self.queue.missed()
    }

    async fn authorize(&self, request: gst::Structure) -> Word {
        let Ok(turn) = Arc::clone(&self.handlers).try_acquire_owned() else {
            return Word::Silent;
        };
        let Some(element) = self.element.upgrade() else {
            return Word::Refused;
        };
        let (promise, answer) = promise();
        let given = promise.clone();
        let emitted = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let values: [&dyn ToValue; 2] = [&request, &given];
            element.emit_by_name::<bool>(signals::AUTHORIZE_CLIENT, &values)
        });
        let word = async {
            match emitted.await {
                Ok(true) => answer.await.unwrap_or(Word::Silent),
                // Also where the handler has panicked.
                _ => Word::Refused,
            }
        };
        let word = tokio::time::timeout(self.timeout, word).await;
        // An answer that comes later is then nobody's, and no mistake of the application's either.
        promise.interrupt();
        word.unwrap_or(Word::Silent)
    }
}

impl Audience for Listeners {
    fn ask<'a>(&'a self, grant: &'a Grant, facts: &'a Facts) -> Asked<'a> {
        let wanted = self
            .element
            .upgrade()
            .is_some_and(|element| signals::is_connected(&element, signals::AUTHORIZE_CLIENT));
        if !wanted {
            return Box::pin(std::future::ready(Word::Agreed));
        }
        Box::pin(self.authorize(signals::request(grant, facts)))
    }

    fn joined(&self, session: &Listed) {
        self.counts.added.fetch_add(1, Ordering::Relaxed);
        self.queue.push(Event::Joined(session.clone()));
    }

    fn left(&self, session: &Listed, farewell: Farewell) {
        self.counts.removed.fetch_add(1, Ordering::Relaxed);
        if farewell.stalled {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.queue.push(Event::Left(session.clone(), farewell));
    }

    fn turned(&self, viewer: Turned) {
        self.counts.denied.fetch_add(1, Ordering::Relaxed);
        self.queue.push(Event::Turned(viewer));
    }
}

fn promise() -> (gst::Promise, oneshot::Receiver<Word>) {
    let (told, answer) = oneshot::channel();
    // The promise wants a function that can be shared; it is called once.
    let told = Mutex::new(Some(told));
    let promise = gst::Promise::with_change_func(move |reply| {
        let told = told.lock().unwrap_or_else(PoisonError::into_inner).take();
        let word = reply.map_or(Word::Silent, word);
        let _ = told.map(|told| told.send(word));
    });
    (promise, answer)
}

/// Reads an answer; one that can't be read refuses.
fn word(reply: Option<&gst::StructureRef>) -> Word {
    let Some(reply) = reply else {
        return Word::Agreed;
    };
    let allowed = match reply.has_field("allow") {
        true => reply.get::<bool>("allow").unwrap_or(false),
        false => true,
    };
    match (allowed, reply.has_field("expires")) {
        (false, _) => Word::Refused,
        (true, false) => Word::Agreed,
        (true, true) => seconds(reply).map_or(Word::Refused, Word::Until),
    }
}

/// C's and Python's writers take one type or another for a number.
fn seconds(reply: &gst::StructureRef) -> Option<UnixSeconds> {
    let unsigned = reply.get::<u64>("expires").ok();
    let signed = || reply.get::<i64>("expires").ok()?.try_into().ok();
    let short = || reply.get::<u32>("expires").ok().map(u64::from);
    let int = || reply.get::<i32>("expires").ok()?.try_into().ok();
    let seconds = unsigned.or_else(signed).or_else(short).or_else(int)?;
    Some(UnixSeconds(seconds))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_can_not_be_read_refuses() {
        gst::init().unwrap();
        let reply = || gst::Structure::builder("answer");
        let rows = [
            (reply().build(), Word::Agreed),
            (reply().field("allow", true).build(), Word::Agreed),
            (reply().field("allow", false).build(), Word::Refused),
            (reply().field("allow", 1i32).build(), Word::Refused),
            (reply().field("allow", "yes").build(), Word::Refused),
            (reply().field("expires", "soon").build(), Word::Refused),
            (reply().field("expires", -1i64).build(), Word::Refused),
            (
                reply().field("expires", 7i32).build(),
                Word::Until(UnixSeconds(7)),
            ),
            (
                reply().field("expires", 7u64).build(),
                Word::Until(UnixSeconds(7)),
            ),
        ];
        for (answer, expected) in rows {
            assert_eq!(word(Some(&answer)), expected, "{answer}");
        }
        assert_eq!(word(None), Word::Agreed);
    }
}
