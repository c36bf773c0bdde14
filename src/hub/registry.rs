//! Which streams there are, who publishes them and how many watch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::feed::Feed;
use super::fragments::Fragments;
use super::source::{OriginName, Source};
use super::stream::{Limits, Publisher, Stream};
use super::subscription::Subscription;
use crate::token::Grant;

/// Who starts and stops what viewers want: the origins' supervisor.
pub trait Demand: Send + Sync {
    /// A source got its first viewer (true) or lost its last (false). Never called under a lock and
    /// must not block. Calls of different threads may overtake each other: [`Hub::viewers`] is what
    /// counts.
    fn viewers_changed(&self, source: &Source, wanted: bool);
}

/// Why a source can't be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Somebody else does already.
    #[error("{0} is being published already; stop the other publisher or choose another name")]
    Taken(Source),
    /// [`Limits::streams`].
    #[error("there are as many streams as the limit allows ({0})")]
    Full(usize),
}

/// Why a source can't be subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// [`Limits::streams`].
    #[error("there are as many streams as the limit allows ({0})")]
    Full(usize),
}

/// All streams of a process.
pub struct Hub {
    limits: Limits,
    streams: Mutex<HashMap<Source, Slot>>,
    demand: OnceLock<Arc<dyn Demand>>,
    skips: AtomicU64,
}

/// How many there are at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Streams that somebody publishes.
    pub published: usize,
    /// Streams that somebody waits for and nobody publishes.
    pub awaited: usize,
}

struct Slot {
    stream: Arc<Stream>,
    published: bool,
    viewers: usize,
}

impl Hub {
    /// An empty hub.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            streams: Mutex::default(),
            demand: OnceLock::new(),
            skips: AtomicU64::new(0),
        })
    }

    /// Names who is to be told of wanted sources. Only the first call counts.
    pub fn set_demand(&self, demand: Arc<dyn Demand>) {
        let _ = self.demand.set(demand);
    }

    /// Makes the caller the one publisher of a source.
    pub fn publish(self: &Arc<Self>, source: &Source) -> Result<Arc<Publisher>, PublishError> {
        let mut streams = self.lock();
        let slot = self
            .slot(&mut streams, source)
            .ok_or(PublishError::Full(self.limits.streams))?;
        if slot.published {
            return Err(PublishError::Taken(source.clone()));
        }
        slot.published = true;
        Ok(Arc::new(Publisher::new(
            Arc::clone(self),
            Arc::clone(&slot.stream),
        )))
    }

    /// Subscribes to the stream that a grant opens, at the origin that the door selected. The stream
    /// need not be live.
    pub fn subscribe(
        self: &Arc<Self>,
        grant: &Grant,
        origin: &OriginName,
    ) -> Result<Subscription, SubscribeError> {
        let stream = self.join(grant, origin)?;
        Ok(Subscription::new(Arc::clone(self), stream))
    }

    /// The same without media: what is said about the stream, and nothing of it.
    pub fn subscribe_to_metadata(
        self: &Arc<Self>,
        grant: &Grant,
        origin: &OriginName,
    ) -> Result<Subscription, SubscribeError> {
        self.subscribe(grant, origin)
            .map(Subscription::metadata_only)
    }

    /// The same for a viewer who takes one file that does not end.
    pub fn fragments(
        self: &Arc<Self>,
        grant: &Grant,
        origin: &OriginName,
    ) -> Result<Fragments, SubscribeError> {
        self.subscribe(grant, origin).map(Fragments::new)
    }

    /// The same for a viewer who fetches segments.
    pub fn feed(
        self: &Arc<Self>,
        grant: &Grant,
        origin: &OriginName,
    ) -> Result<Feed, SubscribeError> {
        let stream = self.join(grant, origin)?;
        Ok(Feed::new(Arc::clone(self), stream))
    }

    fn join(&self, grant: &Grant, origin: &OriginName) -> Result<Arc<Stream>, SubscribeError> {
        let source = Source {
            origin: origin.clone(),
            stream: grant.stream().clone(),
        };
        let mut streams = self.lock();
        let slot = self
            .slot(&mut streams, &source)
            .ok_or(SubscribeError::Full(self.limits.streams))?;
        slot.viewers += 1;
        let first = slot.viewers == 1;
        let stream = Arc::clone(&slot.stream);
        drop(streams);
        if first {
            self.tell(&source, true);
        }
        Ok(stream)
    }

    /// How many subscribe to a source.
    pub fn viewers(&self, source: &Source) -> usize {
        self.lock().get(source).map_or(0, |slot| slot.viewers)
    }

    /// How many streams there are.
    pub fn counts(&self) -> Counts {
        let streams = self.lock();
        let published = streams.values().filter(|slot| slot.published).count();
        Counts {
            published,
            awaited: streams.len() - published,
        }
    }

    /// The streams that `which` wants, whether each is published, and how many subscribe to it.
    pub(super) fn all(&self, which: impl Fn(&Source) -> bool) -> Vec<(Arc<Stream>, bool, usize)> {
        let streams = self.lock();
        let wanted = streams.iter().filter(|(source, _)| which(source));
        wanted
            .map(|(_, slot)| (Arc::clone(&slot.stream), slot.published, slot.viewers))
            .collect()
    }

    /// How often subscribers have fallen behind and skipped to a keyframe.
    pub fn skips(&self) -> u64 {
        self.skips.load(Ordering::Relaxed)
    }

    pub(super) fn skipped(&self) {
        self.skips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unpublish(&self, stream: &Stream) {
        self.leave(stream, |slot| slot.published = false);
    }

    pub(super) fn unsubscribe(&self, stream: &Stream) {
        if self.leave(stream, |slot| slot.viewers -= 1) == Some(0) {
            self.tell(&stream.source, false);
        }
    }

    fn leave(&self, stream: &Stream, change: impl FnOnce(&mut Slot)) -> Option<usize> {
        let mut streams = self.lock();
        let slot = streams.get_mut(&stream.source)?;
        change(slot);
        let viewers = slot.viewers;
        if viewers == 0 && !slot.published {
            streams.remove(&stream.source);
        }
        Some(viewers)
    }

    fn slot<'a>(
        &self,
        streams: &'a mut HashMap<Source, Slot>,
        source: &Source,
    ) -> Option<&'a mut Slot> {
        if !streams.contains_key(source) && streams.len() >= self.limits.streams {
            return None;
        }
        Some(streams.entry(source.clone()).or_insert_with(|| Slot {
            stream: Stream::new(source.clone(), self.limits.clone()),
            published: false,
            viewers: 0,
        }))
    }

    fn tell(&self, source: &Source, wanted: bool) {
        if let Some(demand) = self.demand.get() {
            demand.viewers_changed(source, wanted);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Source, Slot>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
