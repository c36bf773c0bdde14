//! From the hub to a stream's pipeline: fragments are taken apart, and their samples pushed at the times that
//! they have there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSrcCallbacks;

use super::pipeline::Inlet;
use crate::hub::Fragments;
use crate::hub::bell::Bell;
use crate::media::samples::{Sample, Unreadable, samples};

/// What may wait in a track's source. Where all are full, as while nobody plays, nothing more is taken from
/// the hub, where whoever is too far behind skips to a keyframe.
const WAITING: gst::ClockTime = gst::ClockTime::from_seconds(2);
const WAITING_BYTES: u64 = 4 << 20;

/// How far the newest sample may be ahead of the clock before times are set anew. A publisher that catches
/// up would else be late by as much for good.
const AHEAD: i128 = 1_000_000_000;

/// Feeds a pipeline from fragments, the first of which are at hand, until they end.
pub(super) struct Feeder {
    fragments: Fragments,
    inlets: Vec<Inlet>,
    /// Rung when a source wants more.
    room: Arc<Bell>,
    clock: gst::Clock,
    /// What a stream's time has to be raised by to be the pipeline's, in nanoseconds.
    shift: Option<i128>,
    waiting: VecDeque<Sample>,
}

impl Feeder {
    pub fn new(fragments: Fragments, inlets: Vec<Inlet>, clock: gst::Clock) -> Self {
        let room = Arc::<Bell>::default();
        for inlet in &inlets {
            let room = Arc::clone(&room);
            let wants = move |_: &gstreamer_app::AppSrc, _| room.ring();
            let callbacks = AppSrcCallbacks::builder().need_data(wants).build();
            inlet.source.set_callbacks(callbacks);
        }
        Self {
            fragments,
            inlets,
            room,
            clock,
            shift: None,
            waiting: VecDeque::new(),
        }
    }

    /// Goes on until the stream ends, or can't be read, and then says so to the pipeline.
    pub async fn run(mut self, first: VecDeque<Bytes>) {
        let outcome = self.feed(first).await;
        if let Err(error) = outcome {
            tracing::error!("a stream can't go on by RTSP: {error}");
        }
        for inlet in &self.inlets {
            // It may have ended by itself.
            let _ = inlet.source.end_of_stream();
        }
    }

    async fn feed(&mut self, first: VecDeque<Bytes>) -> Result<(), Unreadable> {
        let mut pieces = first;
        loop {
            self.take(pieces.drain(..))?;
            while let Some(sample) = self.waiting.pop_front() {
                self.room().await;
                self.push(sample);
            }
            // All that is there: the newest of it says how late the rest is.
            let more = std::future::poll_fn(|cx| self.fragments.poll(cx, usize::MAX, &mut pieces));
            if !more.await {
                return Ok(());
            }
        }
    }

    fn take(&mut self, pieces: impl Iterator<Item = Bytes>) -> Result<(), Unreadable> {
        let tracks: Vec<_> = self
            .inlets
            .iter()
            .map(|inlet| inlet.track.clone())
            .collect();
        for piece in pieces {
            self.waiting.extend(samples(&piece, &tracks)?);
        }
        let newest = self.waiting.iter().map(|sample| self.decode_time(sample));
        let now = i128::from(self.clock.time().nseconds());
        if let Some(newest) = newest.max()
            && self.shift.is_none_or(|shift| newest + shift > now + AHEAD)
        {
            self.shift = Some(now - newest);
        }
        Ok(())
    }

    /// Waits until some source can take one more sample.
    async fn room(&self) {
        std::future::poll_fn(|cx| {
            while self.inlets.iter().all(is_full) {
                ready!(self.room.poll(cx));
            }
            Poll::Ready(())
        })
        .await;
    }

    fn push(&mut self, sample: Sample) {
        let mut inlets = self.inlets.iter_mut();
        let inlet = inlets.find(|inlet| inlet.track.id == sample.track);
        let (Some(inlet), Some(shift)) = (inlet, self.shift) else {
            return;
        };
        // Its end is closed, and that of another is not.
        inlet.skips = is_full(inlet) || inlet.skips && !sample.keyframe;
        if inlet.skips {
            return;
        }
        let nanos = |ticks: u64| nanos(ticks, inlet.track.timescale);
        let time = |at: i128| {
            let at = u64::try_from(at + shift).unwrap_or(0);
            gst::ClockTime::from_nseconds(at)
        };
        let decode = nanos(sample.decode) - nanos(inlet.track.edit);
        let present = decode + nanos(sample.composition_offset.into());
        let pieces = match &inlet.sets {
            Some(sets) if sample.keyframe => sets.put_into(sample.data),
            _ => vec![sample.data],
        };
        let mut buffer = gst::Buffer::new();
        if let Some(buffer) = buffer.get_mut() {
            for piece in pieces {
                buffer.append_memory(gst::Memory::from_slice(piece));
            }
            buffer.set_dts(time(decode));
            buffer.set_pts(time(present));
            let duration = u64::try_from(nanos(sample.duration.into())).unwrap_or(0);
            buffer.set_duration(gst::ClockTime::from_nseconds(duration));
            if !sample.keyframe {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        // Refused where the pipeline has ended: whoever holds it sees that.
        let _ = inlet.source.push_buffer(buffer);
    }

    /// On its stream's own time line.
    fn decode_time(&self, sample: &Sample) -> i128 {
        let mut inlets = self.inlets.iter();
        let inlet = inlets.find(|inlet| inlet.track.id == sample.track);
        inlet.map_or(0, |inlet| nanos(sample.decode, inlet.track.timescale))
    }
}

fn is_full(inlet: &Inlet) -> bool {
    let source = &inlet.source;
    source.current_level_time() >= WAITING || source.current_level_bytes() >= WAITING_BYTES
}

fn nanos(ticks: u64, timescale: u32) -> i128 {
    i128::from(ticks) * 1_000_000_000 / i128::from(timescale)
}
