//! One stream: a bounded ring that always holds the current GOP, and the publisher that fills it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::feed::unix_millis;
use super::registry::Hub;
use super::source::Source;
use super::survey::Keyframes;
use super::topic::Topic;
use super::wire;
use crate::media::fragment::{Fragment, Init, Output, Span};
use crate::media::hls::{self, Edge, UnixMillis, Window};

/// Bounds of the hub.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many bytes a subscriber may be behind before it skips to the next keyframe. A GOP that is
    /// larger raises it to its own size, so that whoever joins at its head is not behind at once.
    pub lag_bytes: usize,
    /// How many bytes the ring of one stream may hold. A GOP past it loses its head, and whoever
    /// joins waits for the next keyframe.
    pub ring_bytes: usize,
    /// How many streams there may be at once, wanted or published.
    pub streams: usize,
    /// How HLS segments are cut, how many are held, and where
    /// ([`memory_file::gather`](super::memory_file::gather)).
    pub hls: hls::Settings,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lag_bytes: 2 << 20,
            ring_bytes: 32 << 20,
            streams: 10_000,
            hls: hls::Settings::default(),
        }
    }
}

/// The handler of script data that describes a stream.
const DESCRIPTION: &str = "onMetaData";

/// A position in the stream's log of entries.
pub(super) type Sequence = u64;

/// Counts init segments; 0 stands for none.
pub(super) type Generation = u64;

pub(super) struct Entry {
    pub wire: Bytes,
    pub kind: Kind,
    /// Bytes of all entries before it.
    offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Init(Generation),
    Fragment(Piece),
    Stopped,
    Metadata,
}

/// A fragment within its entry's wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Bytes of the wire before its `moof`.
    head: usize,
    random_access: bool,
    time_ms: u64,
    span: Span,
}

impl Piece {
    /// Its `moof` and `mdat`, shared with the wire.
    pub fn bytes(self, wire: &Bytes) -> Bytes {
        wire.slice(self.head..)
    }

    fn fragment(self, wire: &Bytes) -> Fragment {
        Fragment {
            bytes: self.bytes(wire),
            random_access: self.random_access,
            time_ms: self.time_ms,
            span: self.span,
        }
    }
}

pub(super) struct Start {
    pub wire: Bytes,
    pub generation: Generation,
    pub init: Init,
}

#[derive(Default)]
pub(super) struct State {
    entries: VecDeque<Entry>,
    first: Sequence,
    bytes: u64,
    generation: Generation,
    time_ms: u64,
    /// The last keyframe that can be played with `start`.
    pub keyframe: Option<Sequence>,
    pub start: Option<Start>,
    pub keyframes: Keyframes,
    /// What describes the stream.
    pub metadata: Option<Bytes>,
    /// HLS viewers, and the segments that are made for them.
    pub feeds: usize,
    pub window: Option<Window>,
}

impl State {
    pub fn get(&self, sequence: Sequence) -> Option<&Entry> {
        let index = sequence.checked_sub(self.first)?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// The sequence that the next entry will have.
    pub fn end(&self) -> Sequence {
        self.first + self.entries.len() as u64
    }

    /// Bytes from an entry to the live edge; everything, for one that is no longer held.
    pub fn behind(&self, sequence: Sequence) -> u64 {
        match self.get(sequence) {
            Some(entry) => self.bytes - entry.offset,
            None if sequence < self.first => u64::MAX,
            None => 0,
        }
    }

    /// Bytes that ever came.
    pub fn received(&self) -> u64 {
        self.bytes
    }

    /// Bytes that are held.
    pub fn held(&self) -> u64 {
        let oldest = self.entries.front();
        oldest.map_or(0, |oldest| self.bytes - oldest.offset)
    }

    /// Gives a window what it would hold had it been there since the last keyframe.
    pub fn replay(&self, window: &mut Window, now: UnixMillis) {
        let Some(start) = &self.start else {
            return;
        };
        window.push(&Output::Init(start.init.clone()), now);
        let first = self.keyframe.unwrap_or_else(|| self.end());
        let held = (first..self.end()).filter_map(|sequence| self.get(sequence));
        let pieces: Vec<_> = held
            .filter_map(|entry| match entry.kind {
                Kind::Fragment(piece) => Some(piece.fragment(&entry.wire)),
                _ => None,
            })
            .collect();
        let end = pieces.last().map_or(0, |last| last.span.end());
        for piece in pieces {
            let ago = end.saturating_sub(piece.span.start) * 1000 / Span::TIMESCALE;
            window.push(&Output::Fragment(piece), now.saturating_sub(ago));
        }
    }

    fn push(&mut self, wire: Bytes, kind: Kind, limits: &Limits) {
        let offset = self.bytes;
        self.bytes += wire.len() as u64;
        self.entries.push_back(Entry { wire, kind, offset });
        while let Some(oldest) = self.entries.front() {
            let held = self.bytes - oldest.offset;
            let needed = self.keyframe.is_some_and(|keyframe| self.first >= keyframe);
            let bound = if needed {
                limits.ring_bytes
            } else {
                limits.lag_bytes.min(limits.ring_bytes)
            };
            if held <= bound as u64 {
                break;
            }
            if self.keyframe == Some(self.first) {
                self.keyframe = None;
            }
            self.entries.pop_front();
            self.first += 1;
        }
    }
}

/// What publisher and subscribers share.
pub(super) struct Stream {
    pub source: Source,
    pub topic: Arc<Topic>,
    pub limits: Limits,
    /// How far the segments are.
    pub edge: watch::Sender<Edge>,
    state: Mutex<State>,
}

impl Stream {
    pub fn new(source: Source, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            source,
            topic: Topic::new(),
            limits,
            edge: watch::Sender::default(),
            state: Mutex::default(),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for segments, where there is news for them.
    fn tell_edge(&self, news: Option<Edge>) {
        if let Some(news) = news {
            self.edge
                .send_if_modified(|edge| std::mem::replace(edge, news) != news);
        }
    }
}

/// The one who fills a stream. Dropping it stops the stream; subscribers stay and wait.
pub struct Publisher {
    hub: Arc<Hub>,
    stream: Arc<Stream>,
    fragments: AtomicU64,
}

impl Publisher {
    pub(super) fn new(hub: Arc<Hub>, stream: Arc<Stream>) -> Self {
        Self {
            hub,
            stream,
            fragments: AtomicU64::new(0),
        }
    }

    /// Takes what the muxer put out, in its order. Never blocks on a subscriber. Fragments before
    /// the first init segment are nobody's and are dropped.
    pub fn publish(&self, output: Output) {
        match output {
            Output::Init(init) => {
                let start = wire::start(&init);
                let update = init.continues.then(|| wire::update(&init));
                let mut state = self.stream.lock();
                if let Some(window) = &mut state.window {
                    window.push(&Output::Init(init.clone()), unix_millis());
                }
                state.generation += 1;
                let generation = state.generation;
                let continues = state.start.is_some();
                state.keyframe = None;
                state.keyframes = Keyframes::default();
                state.start = Some(Start {
                    wire: start.clone(),
                    generation,
                    init,
                });
                let wire = update.filter(|_| continues).unwrap_or(start);
                state.push(wire, Kind::Init(generation), &self.stream.limits);
                // What was said before the stream could start, its subscribers have not heard yet.
                if let Some(metadata) = state.metadata.clone().filter(|_| !continues) {
                    state.push(metadata, Kind::Metadata, &self.stream.limits);
                }
            }
            Output::Fragment(fragment) => {
                let wire = wire::fragment(&fragment);
                let mut state = self.stream.lock();
                if state.start.is_none() {
                    return;
                }
                state.time_ms = fragment.time_ms;
                if fragment.random_access {
                    state.keyframe = Some(state.end());
                    if state.has_picture() {
                        state.keyframes.at(fragment.time_ms);
                    }
                }
                let piece = Piece {
                    head: wire.len().saturating_sub(fragment.bytes.len()),
                    random_access: fragment.random_access,
                    time_ms: fragment.time_ms,
                    span: fragment.span,
                };
                let edge = state.window.as_mut().map(|window| {
                    window.push(&Output::Fragment(piece.fragment(&wire)), unix_millis());
                    window.edge()
                });
                state.push(wire, Kind::Fragment(piece), &self.stream.limits);
                drop(state);
                self.fragments.fetch_add(1, Ordering::Relaxed);
                self.stream.tell_edge(edge);
            }
        }
        self.stream.topic.ring();
    }

    /// Hands on text metadata (RTMP script data, for one). What describes the stream is kept for whoever
    /// joins later; all else, a cue point for one, is over then.
    pub fn metadata(&self, handler: &str, json: &str) {
        let mut state = self.stream.lock();
        let wire = wire::metadata(handler, state.time_ms, json);
        if handler == DESCRIPTION {
            state.metadata = Some(wire.clone());
        }
        if state.start.is_some() {
            state.push(wire, Kind::Metadata, &self.stream.limits);
        }
        drop(state);
        self.stream.topic.ring();
    }

    /// Tells subscribers that the source has stopped; the next init segment starts it again.
    pub fn stop(&self) {
        let mut state = self.stream.lock();
        if state.start.take().is_none() {
            return;
        }
        state.keyframe = None;
        state.metadata = None;
        state.push(wire::stopped(), Kind::Stopped, &self.stream.limits);
        let edge = state.window.as_mut().map(|window| {
            window.stop();
            window.edge()
        });
        drop(state);
        self.stream.tell_edge(edge);
        self.stream.topic.ring();
    }

    /// Fragments published so far; one that stands still tells of a silent source.
    pub fn fragments(&self) -> u64 {
        self.fragments.load(Ordering::Relaxed)
    }

    /// What it publishes.
    pub fn source(&self) -> &Source {
        &self.stream.source
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop();
        self.hub.unpublish(&self.stream);
    }
}
