//! The audio track: contiguous frames, whatever the source's clock does.
//!
//! A gap in the audio would stop a player's video too (W3C Media Source Extensions: a
//! discontinuity is one of all tracks), and audio that is missing stops its playback (`buffered` is
//! the intersection of the tracks). So every frame follows the one before without a gap, silent
//! frames fill what is missing, and frames for time that has been filled are dropped.

use bytes::Bytes;

use super::fmp4::AudioFrame;
use super::fragment::{AccessUnit, Nanos};
use super::setup::AudioSetup;
use super::timeline::ticks;

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Pending,
    /// Its time had been filled already.
    Dropped,
    /// Its time is out of all relation to the frame's before.
    Jump(AccessUnit),
}

/// A gap longer than this many seconds is a jump.
const MAX_GAP_SECONDS: i64 = 5;
/// Audio this far behind the video is filled up to [`FILL_TO_MS`] behind it.
const LATE_MS: i64 = 300;
const FILL_TO_MS: i64 = 200;
/// So many frames in a row, all late: the source sends its audio late, and we wait longer for it,
const LATE_RUN: u32 = 32;
/// but no longer than this.
const MAX_LATE_MS: i64 = 1500;
/// The weight of a new frame in the averaged deviation is one to this.
const DRIFT_WEIGHT: i64 = 16;

/// The audio track's timeline and the frames that are due; times in samples.
#[derive(Debug)]
pub(crate) struct AudioTrack {
    pub(crate) setup: AudioSetup,
    silent: Bytes,
    /// Nothing before this is of use: the first keyframe's presentation time.
    start: Option<i64>,
    next: Option<i64>,
    /// The source's averaged deviation from `next`, times [`DRIFT_WEIGHT`].
    drift: i64,
    /// Whether the latest frame is silence for audio that may still come.
    filled: bool,
    late_ms: i64,
    late_run: u32,
    furthest_behind: i64,
    video_time: i64,
    pending_start: i64,
    pending: Vec<AudioFrame>,
    /// Frames dropped, and silent frames made.
    pub(crate) dropped: u64,
    pub(crate) silent_frames: u64,
}

impl AudioTrack {
    /// A track that begins at `start`, or with its first frame.
    pub(crate) fn new(setup: AudioSetup, start: Option<Nanos>) -> Self {
        let start = start.map(|time| ticks(time, setup.timescale()));
        Self {
            silent: setup.silent(),
            start,
            next: None,
            drift: 0,
            filled: false,
            late_ms: LATE_MS,
            late_run: 0,
            furthest_behind: 0,
            video_time: 0,
            pending_start: 0,
            pending: Vec::new(),
            dropped: 0,
            silent_frames: 0,
            setup,
        }
    }

    /// The same timeline in another configuration. Nothing may be pending.
    pub(crate) fn reconfigured(self, setup: AudioSetup) -> Self {
        let scale = |time: i64| {
            let scaled = i128::from(time) * i128::from(setup.timescale())
                / i128::from(self.setup.timescale());
            i64::try_from(scaled).unwrap_or(i64::MAX)
        };
        let (start, next) = (self.start.map(scale), self.next.map(scale));
        Self {
            start,
            next,
            filled: true,
            late_ms: self.late_ms,
            dropped: self.dropped,
            silent_frames: self.silent_frames,
            ..Self::new(setup, None)
        }
    }

    fn frame(&self) -> i64 {
        i64::from(self.setup.frame_samples())
    }

    fn samples(&self, ms: i64) -> i64 {
        i64::from(self.setup.timescale()) * ms / 1000
    }

    /// Takes a frame; it is pending then.
    pub(crate) fn push(&mut self, unit: AccessUnit) -> Taken {
        let time = ticks(unit.pts, self.setup.timescale());
        // Whoever hands it over has seen that it says its length.
        let usual = self.setup.frame_samples();
        let samples = self.setup.samples_of(&unit.data).unwrap_or(usual);
        let own = i64::from(samples);
        let silent = self.frame();
        let frame = own.max(silent);
        let next = match (self.next, self.start) {
            (Some(next), _) => next,
            (None, Some(start)) if time + own <= start => return self.drop_frame(),
            (None, Some(start)) if time >= start => {
                let gap = (time - start) / frame;
                time - gap * frame
            }
            (None, _) => time,
        };
        let deviation = time - next;
        if deviation.abs() > MAX_GAP_SECONDS * i64::from(self.setup.timescale()) {
            return Taken::Jump(unit);
        }
        self.next = Some(next);
        if self.filled && deviation < -frame / 2 {
            self.note_late(time);
            return self.drop_frame();
        }
        self.filled = false;
        self.late_run = 0;
        let tolerance = frame * 5 / 2;
        if deviation <= -tolerance {
            return self.drop_frame();
        }
        if deviation >= tolerance {
            self.fill(deviation / silent);
            self.drift = 0;
        } else {
            self.drift += deviation - self.drift / DRIFT_WEIGHT;
            // Three quarters: after a correction of a whole frame the rest is well inside.
            let limit = DRIFT_WEIGHT * frame * 3 / 4;
            if self.drift > limit {
                self.fill(1);
                self.drift -= DRIFT_WEIGHT * silent;
            } else if self.drift < -limit {
                self.drift += DRIFT_WEIGHT * own;
                return self.drop_frame();
            }
        }
        self.append(unit.data, samples);
        Taken::Pending
    }

    fn drop_frame(&mut self) -> Taken {
        self.dropped += 1;
        Taken::Dropped
    }

    /// A source whose audio always comes late would stay silent for ever: wait longer for it.
    fn note_late(&mut self, time: i64) {
        self.late_run += 1;
        self.furthest_behind = if self.late_run == 1 {
            self.video_time - time
        } else {
            self.furthest_behind.max(self.video_time - time)
        };
        let behind_ms = self.furthest_behind * 1000 / i64::from(self.setup.timescale());
        if self.late_run >= LATE_RUN && behind_ms > FILL_TO_MS {
            self.late_run = 0;
            self.late_ms = self.late_ms.max((behind_ms + LATE_MS).min(MAX_LATE_MS));
        }
    }

    /// Fills with silence when the audio is too far behind the video's decode time.
    pub(crate) fn follow(&mut self, video: Nanos) {
        self.video_time = ticks(video, self.setup.timescale());
        let Some(next) = self.next.or(self.start) else {
            return;
        };
        let behind = self.video_time - next;
        if behind > self.samples(self.late_ms) {
            self.next = Some(next);
            let fill = behind - self.samples(self.late_ms - (LATE_MS - FILL_TO_MS));
            self.fill(fill / self.frame());
            self.filled = true;
        }
    }

    fn fill(&mut self, frames: i64) {
        for _ in 0..frames {
            self.silent_frames += 1;
            self.append(self.silent.clone(), self.setup.frame_samples());
        }
    }

    fn append(&mut self, data: Bytes, samples: u32) {
        let next = self.next.unwrap_or(0);
        if self.pending.is_empty() {
            self.pending_start = next;
        }
        self.pending.push(AudioFrame { data, samples });
        self.next = Some(next + i64::from(samples));
    }

    /// How long the pending frames last.
    pub(crate) fn pending_ms(&self) -> u64 {
        let samples = self.pending.iter().map(|frame| u64::from(frame.samples));
        samples.sum::<u64>() * 1000 / u64::from(self.setup.timescale().max(1))
    }

    /// The pending frames.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The decode time for a time of [`take`](Self::take): the pre-skip is before it.
    pub(crate) fn run_start(&self, start: i64) -> u64 {
        u64::try_from(start).unwrap_or(0) + self.setup.pre_skip()
    }

    /// Takes the pending frames and the time of the first.
    pub(crate) fn take(&mut self) -> Option<(i64, Vec<AudioFrame>)> {
        if self.pending.is_empty() {
            return None;
        }
        Some((self.pending_start, std::mem::take(&mut self.pending)))
    }
}
