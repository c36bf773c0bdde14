//! A subscriber's place in a stream: joins at a keyframe, and skips to one when it lags.

use std::sync::Arc;

use bytes::Bytes;

use super::registry::Hub;
use super::source::Source;
use super::stream::{Entry, Generation, Kind, Sequence, Start, State, Stream};
use super::topic::{Cursor, Topic};
use super::wire;

/// One subscriber of one stream; dropping it unsubscribes.
pub struct Subscription {
    hub: Arc<Hub>,
    stream: Arc<Stream>,
    position: Position,
    generation: Generation,
    skips: u64,
    metadata_only: bool,
}

/// What a subscriber comes to.
pub(super) enum Step<'a> {
    /// The stream from its beginning, and what was last said about it. A keyframe follows.
    Start(&'a Start, Option<&'a Bytes>),
    /// What comes next.
    Entry(&'a Entry),
    /// A stop that was skipped over.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// For a keyframe at or after this.
    Waiting(Sequence),
    At(Sequence),
}

impl Subscription {
    pub(super) fn new(hub: Arc<Hub>, stream: Arc<Stream>) -> Self {
        Self {
            hub,
            stream,
            position: Position::Waiting(0),
            generation: 0,
            skips: 0,
            metadata_only: false,
        }
    }

    /// Leaves everything out but metadata.
    pub(super) fn metadata_only(mut self) -> Self {
        self.metadata_only = true;
        self
    }

    /// What it subscribes to.
    pub fn source(&self) -> &Source {
        &self.stream.source
    }

    /// What rings when there is something new.
    pub fn topic(&self) -> &Arc<Topic> {
        &self.stream.topic
    }

    /// How often it fell behind and skipped to a keyframe.
    pub fn skips(&self) -> u64 {
        self.skips
    }

    /// Bytes that came and were not given out yet; none while it waits for a keyframe.
    pub fn behind(&self) -> u64 {
        let state = self.stream.lock();
        match self.position {
            Position::At(at) => state.behind(at).min(state.held()),
            Position::Waiting(_) => 0,
        }
    }

    /// Where it stands, as long as it is given all that comes.
    pub fn cursor(&self) -> Option<Cursor> {
        match self.position {
            Position::At(sequence) if !self.metadata_only => Some(Cursor {
                sequence,
                generation: self.generation,
            }),
            _ => None,
        }
    }

    /// It was given what another with the same cursor has been given by [`Subscription::next`].
    pub fn pass(&mut self, next: Cursor) {
        self.position = Position::At(next.sequence);
        self.generation = next.generation;
    }

    /// Appends what comes next, in order, until about `budget` bytes are there. True: there is more.
    pub fn next(&mut self, budget: usize, out: &mut Vec<Bytes>) -> bool {
        let metadata_only = self.metadata_only;
        self.walk(budget, |step| match step {
            Step::Start(start, metadata) => {
                out.extend((!metadata_only).then(|| start.wire.clone()));
                out.extend(metadata.cloned());
                0
            }
            Step::Entry(entry) if metadata_only && entry.kind != Kind::Metadata => 0,
            Step::Entry(entry) => {
                out.push(entry.wire.clone());
                entry.wire.len()
            }
            Step::Stopped => {
                out.extend((!metadata_only).then(wire::stopped));
                0
            }
        })
    }

    /// Gives `take` what comes next, in order, until it has taken about `budget` bytes, by its own
    /// count. True: there is more.
    pub(super) fn walk(&mut self, budget: usize, mut take: impl FnMut(Step<'_>) -> usize) -> bool {
        let stream = Arc::clone(&self.stream);
        let state = stream.lock();
        let mut taken = 0;
        loop {
            let Some(at) = self.place(&state, &mut take) else {
                return false;
            };
            let Some(entry) = state.get(at) else {
                return false;
            };
            if taken >= budget {
                return true;
            }
            if let Kind::Init(generation) = entry.kind {
                self.generation = generation;
            }
            taken += take(Step::Entry(entry));
            self.position = Position::At(at + 1);
        }
    }

    /// Where to go on; first decides whether to skip.
    fn place(
        &mut self,
        state: &State,
        take: &mut impl FnMut(Step<'_>) -> usize,
    ) -> Option<Sequence> {
        if let Position::At(at) = self.position {
            let bound = state
                .keyframe
                .map_or(0, |keyframe| state.behind(keyframe))
                .max(self.stream.limits.lag_bytes as u64);
            if state.behind(at) <= bound {
                return Some(at);
            }
            self.skips += 1;
            self.hub.skipped();
            self.position = Position::Waiting(at);
        }
        let Position::Waiting(from) = self.position else {
            return None;
        };
        let Some((start, keyframe)) = state.start.as_ref().zip(state.keyframe) else {
            // A stop that was skipped over must still be told, once.
            if state.start.is_none() && self.generation != 0 {
                take(Step::Stopped);
                self.generation = 0;
            }
            return None;
        };
        if keyframe < from {
            return None;
        }
        if self.generation != start.generation {
            take(Step::Start(start, state.metadata.as_ref()));
            self.generation = start.generation;
        }
        self.position = Position::At(keyframe);
        Some(keyframe)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(&self.stream);
    }
}
