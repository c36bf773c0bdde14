//! Waiting for a buffer's time, where the property `sync` asks for it, as GstBaseSink does.
//!
//! A wait ends early when its pad is flushed or deactivated, which a state change and a release of the pad
//! do too. While the element is paused it goes on until it plays again, by the base time of then.

use std::sync::{Condvar, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use super::imp::lock;
use super::track::Kind;

/// What the properties say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timing {
    /// Buffers wait for their time.
    pub sync: bool,
    /// Late ones are told of upstream.
    pub qos: bool,
    /// Nanoseconds that are added to each time.
    pub ts_offset: i64,
}

/// The waits of one element's pads.
#[derive(Default)]
pub(super) struct Waits {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    playing: bool,
    ts_offset: i64,
    latency: gst::ClockTime,
    video: Wait,
    audio: Wait,
}

#[derive(Default)]
struct Wait {
    flushing: bool,
    id: Option<gst::SingleShotClockId>,
}

/// What became of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// The time has come; so many nanoseconds ago, or less than none.
    Due(gst::ClockTimeDiff),
    /// The pad is flushing: what waited is void.
    Flushed,
}

impl Waits {
    /// Waits until a running time, in nanoseconds, has come by the element's clock. Without a clock every
    /// time has.
    pub fn wait(&self, kind: Kind, element: &impl IsA<gst::Element>, running_time: i64) -> Waited {
        let mut state = lock(&self.state);
        loop {
            if state.pad(kind).flushing {
                return Waited::Flushed;
            }
            if !state.playing {
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (Some(clock), Some(base)) = (element.clock(), element.base_time()) else {
                return Waited::Due(0);
            };
            let id = clock.new_single_shot_id(state.clock_time(base, running_time));
            state.pad(kind).id = Some(id.clone());
            drop(state);
            // One that is unscheduled before it begins ends at once.
            let (result, late) = id.wait();
            state = lock(&self.state);
            state.pad(kind).id = None;
            if result != Err(gst::ClockError::Unscheduled) {
                return Waited::Due(late);
            }
        }
    }

    /// Ends a pad's wait, and lets none begin; or lets them begin again.
    pub fn set_flushing(&self, kind: Kind, flushing: bool) {
        let mut state = lock(&self.state);
        state.pad(kind).flushing = flushing;
        self.look_again(&state);
    }

    /// Waits go by the clock only while it plays.
    pub fn set_playing(&self, playing: bool) {
        let mut state = lock(&self.state);
        state.playing = playing;
        self.look_again(&state);
    }

    /// The latency of the pipeline, by which all is later.
    pub fn set_latency(&self, latency: gst::ClockTime) {
        let mut state = lock(&self.state);
        state.latency = latency;
        self.look_again(&state);
    }

    /// The property `ts-offset`.
    pub fn set_ts_offset(&self, nanoseconds: i64) {
        let mut state = lock(&self.state);
        if state.ts_offset != nanoseconds {
            state.ts_offset = nanoseconds;
            self.look_again(&state);
        }
    }

    fn look_again(&self, state: &State) {
        for wait in [&state.video, &state.audio] {
            if let Some(id) = &wait.id {
                id.unschedule();
            }
        }
        self.changed.notify_all();
    }
}

impl State {
    fn pad(&mut self, kind: Kind) -> &mut Wait {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    /// The clock's time for a running time; before the clock's beginning it is its beginning.
    fn clock_time(&self, base: gst::ClockTime, running_time: i64) -> gst::ClockTime {
        let after_base = running_time.saturating_add(self.ts_offset);
        let time = i128::from(base.nseconds())
            + i128::from(self.latency.nseconds())
            + i128::from(after_base);
        let latest = u64::MAX - 1;
        gst::ClockTime::from_nseconds(u64::try_from(time.max(0)).unwrap_or(latest).min(latest))
    }
}

/// Tells upstream of a buffer that came so many nanoseconds late, as GstBaseSink does; how much faster it
/// would have to be follows from how long the buffer lasts.
pub(super) fn late(
    running_time: i64,
    late: gst::ClockTimeDiff,
    lasts: Option<gst::ClockTime>,
) -> gst::Event {
    let lasts = lasts.map_or(0.0, |lasts| lasts.nseconds() as f64);
    let faster = if lasts > 0.0 {
        1.0 + late as f64 / lasts
    } else {
        1.0
    };
    let time = gst::ClockTime::from_nseconds(u64::try_from(running_time).unwrap_or(0));
    gst::event::Qos::builder(gst::QOSType::Underflow, faster.min(FASTEST), late)
        .timestamp(time)
        .build()
}

/// No more than this is asked of upstream: one late buffer says little of the next.
const FASTEST: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_base_running_time_latency_and_offset_within_the_clock() {
        let clock_time = |base, latency, ts_offset, running_time| {
            let state = State {
                ts_offset,
                latency: gst::ClockTime::from_nseconds(latency),
                ..State::default()
            };
            let base = gst::ClockTime::from_nseconds(base);
            state.clock_time(base, running_time).nseconds()
        };
        assert_eq!(clock_time(1000, 200, 30, 4), 1234);
        assert_eq!(clock_time(1000, 0, -300, 0), 700);
        assert_eq!(clock_time(1000, 0, -3000, 0), 0);
        assert_eq!(clock_time(1000, 0, i64::MIN, -1), 0);
        let all = u64::MAX - 1;
        assert_eq!(clock_time(all, all, i64::MAX, i64::MAX), all);
    }
}
