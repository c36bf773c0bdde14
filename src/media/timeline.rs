//! From running time to a video track's decode times, durations and composition offsets.
//!
//! A frame's duration must be said before the next frame is there, so it is predicted. Two rules of
//! W3C Media Source Extensions, "Coded Frame Processing", shape what is said: a decode time that
//! does not grow, or grows by more than twice the last frame's duration, is a discontinuity, and a
//! player then drops frames of every track up to its next random access point. So the decode
//! timeline never takes such a step: the composition offset tells the truth, and the decode time
//! catches up over the next frames.

use std::collections::VecDeque;

use super::fmp4::VIDEO_TIMESCALE;
use super::fragment::{AccessUnit, Nanos};

/// Nanoseconds in ticks of `rate` hertz, rounded to the nearest.
pub(crate) fn ticks(time: Nanos, rate: u32) -> i64 {
    let scaled = (u128::from(time) * u128::from(rate) + 500_000_000) / 1_000_000_000;
    i64::try_from(scaled).unwrap_or(i64::MAX)
}

/// Ticks of `rate` hertz in milliseconds, rounded down.
pub(crate) fn millis(ticks: i64, rate: u32) -> u64 {
    let scaled = i128::from(ticks) * 1000 / i128::from(rate.max(1));
    u64::try_from(scaled).unwrap_or(0)
}

/// A millisecond: the step of RTMP's timestamps, and so what we take for rounding.
const ROUNDING: i64 = (VIDEO_TIMESCALE / 1000) as i64;
const SECOND: i64 = VIDEO_TIMESCALE as i64;
/// A step further than this is a new timeline.
const JUMP: i64 = 5 * SECOND;
/// A step further back than this is a new timeline; a smaller one is an encoder's disorder.
const BACK: i64 = SECOND / 10;
/// The longest edit: what is reordered further stays so, and a player waits for it.
const LONGEST_EDIT: i64 = SECOND;
/// 30 frames a second, where nothing is known yet.
const DEFAULT_PERIOD: i64 = SECOND / 30;
const WINDOW: usize = 16;

/// Where a frame stands on the track's timeline, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) tfdt: i64,
    pub(crate) duration: i64,
    pub(crate) composition_offset: i64,
    /// After the edit list.
    pub(crate) presentation: i64,
}

/// The timeline jumped: a new one must begin at a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jump;

/// The video track's timeline, in ticks of [`VIDEO_TIMESCALE`].
#[derive(Clone, Debug)]
pub(crate) struct VideoTimeline {
    /// The edit list's media_time: decode times are later than the source's by this much, and
    /// presentation times are the source's own.
    edit: i64,
    nominal: Option<i64>,
    steps: VecDeque<i64>,
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    /// The source's decode time.
    source: i64,
    /// The same without its rounding.
    smooth: i64,
    tfdt: i64,
    duration: i64,
    /// The latest presentation time so far.
    presented: i64,
}

impl VideoTimeline {
    /// A timeline whose first frame is `keyframe`.
    pub(crate) fn new(keyframe: &AccessUnit, frame_rate: Option<(u32, u32)>) -> Self {
        let mut timeline = Self {
            edit: 0,
            nominal: None,
            steps: VecDeque::with_capacity(WINDOW),
            last: None,
        };
        timeline.set_frame_rate(frame_rate);
        timeline.raise_edit(keyframe);
        timeline
    }

    pub(crate) fn set_frame_rate(&mut self, frame_rate: Option<(u32, u32)>) {
        self.nominal = frame_rate
            .filter(|(frames, _)| *frames > 0)
            .map(|(frames, seconds)| SECOND * i64::from(seconds) / i64::from(frames))
            .filter(|period| *period > 0);
    }

    /// The edit list's media_time.
    pub(crate) fn edit(&self) -> i64 {
        self.edit
    }

    /// Whether `keyframe` needs a later edit than this timeline has: its decode time would stand
    /// before its presentation time. Never after [`raise_edit`](Self::raise_edit) for it: whoever
    /// begins anew because of this must not have to do so again.
    pub(crate) fn edit_is_short(&self, keyframe: &AccessUnit) -> bool {
        self.offset(keyframe).min(LONGEST_EDIT) > self.edit + 2 * ROUNDING
    }

    /// Raises the edit to what `keyframe` needs. It is never lowered: decode times must grow.
    pub(crate) fn raise_edit(&mut self, keyframe: &AccessUnit) {
        self.edit = self.edit.max(self.offset(keyframe).min(LONGEST_EDIT));
    }

    /// How far presentation is behind decoding in the source, without rounding.
    fn offset(&self, unit: &AccessUnit) -> i64 {
        self.offset_from(unit, ticks(unit.dts, VIDEO_TIMESCALE))
    }

    /// How far `unit`'s presentation is behind `decode`: whole periods where rounding allows it.
    fn offset_from(&self, unit: &AccessUnit, decode: i64) -> i64 {
        let offset = ticks(unit.pts, VIDEO_TIMESCALE) - decode;
        let period = self.period();
        let whole = (offset + period / 2).div_euclid(period) * period;
        if (offset - whole).abs() <= ROUNDING {
            whole
        } else {
            offset
        }
    }

    /// Whether `unit` is out of all relation to the last frame.
    pub(crate) fn jumps(&self, unit: &AccessUnit) -> bool {
        self.last.is_some_and(|last| {
            let step = ticks(unit.dts, VIDEO_TIMESCALE) - last.source;
            !(-BACK..=JUMP).contains(&step)
        })
    }

    /// Places the next frame.
    ///
    /// # Errors
    /// [`Jump`] when its time is out of all relation to the last frame's; nothing is changed then.
    pub(crate) fn place(&mut self, unit: &AccessUnit) -> Result<Placed, Jump> {
        if self.jumps(unit) {
            return Err(Jump);
        }
        let source = ticks(unit.dts, VIDEO_TIMESCALE);
        let smooth = match self.last {
            Some(last) if (source - last.smooth - self.period()).abs() <= ROUNDING => {
                last.smooth + self.period()
            }
            _ => source,
        };
        let offset = self.offset_from(unit, smooth);
        let truth = smooth + self.edit;
        let tfdt = match self.last {
            None => truth,
            Some(last) => {
                let earliest = last.tfdt + ROUNDING;
                let longest = last.duration * 9 / 5;
                // A keyframe that follows on in presentation may step as far as it likes: the
                // player needs a random access point then, and has one.
                let free = unit.keyframe && smooth + offset <= last.presented + longest;
                let latest = if free { truth } else { last.tfdt + longest };
                truth.min(latest).max(earliest)
            }
        };
        let composition_offset = (truth + offset - tfdt).max(0);
        if composition_offset > 2 * JUMP {
            return Err(Jump);
        }
        if let Some(last) = self.last {
            self.note(source - last.source);
        }
        let duration = self.period();
        let presentation = tfdt + composition_offset - self.edit;
        self.last = Some(Last {
            source,
            smooth,
            tfdt,
            duration,
            presented: self
                .last
                .map_or(presentation, |last| last.presented.max(presentation)),
        });
        Ok(Placed {
            tfdt,
            duration,
            composition_offset,
            presentation,
        })
    }

    fn note(&mut self, step: i64) {
        if step > 0 {
            if self.steps.len() == WINDOW {
                self.steps.pop_front();
            }
            self.steps.push_back(step);
        }
    }

    /// The distance to the next frame, as far as it can be known.
    fn period(&self) -> i64 {
        let count = self.steps.len();
        let shortest = self.steps.iter().min().copied().unwrap_or(0);
        let longest = self.steps.iter().max().copied().unwrap_or(0);
        let period = if count < 3 {
            self.nominal
                .or(self.steps.back().copied())
                .unwrap_or(DEFAULT_PERIOD)
        } else if longest - shortest <= 2 * ROUNDING + 2 {
            let mean = (self.steps.iter().sum::<i64>() + count as i64 / 2) / count as i64;
            match self.nominal {
                Some(nominal) if (nominal - mean).abs() <= ROUNDING => nominal,
                _ => mean,
            }
        } else {
            let mut latest: Vec<i64> = self.steps.iter().rev().take(3).copied().collect();
            latest.sort_unstable();
            latest.get(1).copied().unwrap_or(DEFAULT_PERIOD)
        };
        period.clamp(ROUNDING, JUMP)
    }
}
