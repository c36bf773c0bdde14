//! The segments that a playlist lists: cut at keyframes, made of parts, held for a while.
//!
//! A part never lasts longer than the part target, and at least 85 % of it unless it is a segment's
//! last (RFC 8216bis, 4.4.4.9). The target never changes: Apple's players stop for good when it does.
//! Where the frames' own durations do not allow such parts, the segment is listed without.

use std::collections::VecDeque;

use std::sync::Arc;

use bytes::Bytes;

use super::playlist;

use crate::media::fragment::{Fragment, Init, Output, Span};

/// Wall-clock time, in milliseconds since 1970.
pub type UnixMillis = u64;

/// Names an init segment of a window.
pub type InitId = u64;

/// With fewer, Chromium's own player gives up.
const FIRST_SEGMENTS: u64 = 3;

/// Puts the pieces of a whole segment together, in a place from which they are handed on cheaply; None
/// where there is no such place, and they stay as they are.
pub type Gather = fn(&[Bytes]) -> Option<Bytes>;

/// How a window is cut and how much it holds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The longest part, in ticks.
    pub part_target: u64,
    /// A segment goes on over keyframes until it lasts so long, in ticks.
    pub segment_least: u64,
    /// Segments that are held when they are whole.
    pub segments: usize,
    /// Bytes that are held; the oldest segments go first.
    pub bytes: usize,
    /// Where whole segments are kept.
    pub gather: Gather,
}

impl Settings {
    /// Ten frames at 30 a second, eight at 25, twenty at 60.
    pub const PART_MILLISECONDS: u32 = 334;

    /// The part target of so many milliseconds.
    pub fn part_target(milliseconds: u32) -> u64 {
        Span::TIMESCALE * u64::from(milliseconds) / 1000
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            part_target: Self::part_target(Self::PART_MILLISECONDS),
            segment_least: Span::TIMESCALE * 15 / 10,
            segments: 12,
            bytes: 64 << 20,
            gather: |_| None,
        }
    }
}

/// One part of a segment.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub fragments: Vec<Bytes>,
    pub duration: u64,
    /// Whether there is a random access point in it.
    pub independent: bool,
}

/// One segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub number: u64,
    pub init: InitId,
    pub discontinuity: bool,
    pub date: UnixMillis,
    pub parts: Vec<Part>,
    /// How many of the parts may be listed.
    pub listed: usize,
    pub duration: u64,
    pub whole: bool,
    start: u64,
    bytes: usize,
    /// All of it in one piece, which the parts' fragments are then pieces of ([`Settings::gather`]).
    gathered: Option<Bytes>,
}

impl Segment {
    fn fragments(&self) -> Vec<Bytes> {
        let parts = self.parts.iter();
        parts
            .flat_map(|part| part.fragments.iter().cloned())
            .collect()
    }

    /// What the fragments were in before is free as soon as nobody else holds it.
    fn gather(&mut self, gather: Gather) {
        let Some(gathered) = gather(&self.fragments()) else {
            return;
        };
        let mut rest = gathered.clone();
        for fragment in self.parts.iter_mut().flat_map(|part| &mut part.fragments) {
            *fragment = rest.split_to(fragment.len().min(rest.len()));
        }
        self.gathered = Some(gathered);
    }
}

/// The newest thing of a window: what a blocking reload waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The number of the segment that is being made, or the next.
    pub segment: u64,
    /// Listed parts of it that are there.
    pub parts: u64,
}

/// The segments of one stream.
#[derive(Debug)]
pub struct Window {
    pub(super) settings: Settings,
    pub(super) segments: VecDeque<Segment>,
    /// Segments with a discontinuity that are no longer held (EXT-X-DISCONTINUITY-SEQUENCE).
    pub(super) discontinuities: u64,
    /// The longest segment that is to be expected, in ticks: the target duration only grows.
    pub(super) longest: u64,
    /// Whole segments so far.
    made: u64,
    /// When the last keyframe was, in ticks.
    keyframe: Option<u64>,
    inits: VecDeque<(InitId, Bytes)>,
    next_number: u64,
    /// The part that is being made.
    open: Option<Part>,
    /// Parts of this segment can't keep to the target.
    misfit: bool,
    /// The next segment follows on nothing.
    discontinuity: bool,
    bytes: usize,
    /// The playlist as it is, whole and as a delta update.
    written: [Option<Arc<str>>; 2],
}

impl Window {
    /// An empty one. `first` numbers its first segment; let it grow with time, so that a number never
    /// means another segment after a restart.
    pub fn new(settings: Settings, first: u64) -> Self {
        Self {
            settings,
            segments: VecDeque::new(),
            discontinuities: 0,
            longest: 0,
            made: 0,
            keyframe: None,
            inits: VecDeque::new(),
            next_number: first,
            open: None,
            misfit: false,
            discontinuity: false,
            bytes: 0,
            written: [None, None],
        }
    }

    /// The playlist, with [`PREFIX`](super::PREFIX) before every URI. `skip`: as a delta update.
    pub fn playlist(&mut self, skip: bool) -> Arc<str> {
        if let Some(written) = &self.written[usize::from(skip)] {
            return Arc::clone(written);
        }
        let written: Arc<str> = playlist::write(self, skip).into();
        self.written[usize::from(skip)] = Some(Arc::clone(&written));
        written
    }

    /// Takes what the muxer put out; `now` dates a segment that begins with it.
    pub fn push(&mut self, output: &Output, now: UnixMillis) {
        match output {
            Output::Init(init) => self.init(init),
            Output::Fragment(fragment) => self.fragment(fragment, now),
        }
    }

    /// The source has stopped: what there is of a segment is whole.
    pub fn stop(&mut self) {
        self.close_segment(None);
        self.discontinuity = !self.segments.is_empty();
        self.keyframe = None;
    }

    fn init(&mut self, init: &Init) {
        self.stop();
        let id = self.inits.back().map_or(0, |(id, _)| id + 1);
        self.inits.push_back((id, init.bytes.clone()));
        self.forget_inits();
    }

    fn fragment(&mut self, fragment: &Fragment, now: UnixMillis) {
        let span = fragment.span;
        if fragment.random_access {
            self.expect(span.start);
        }
        // The first are cut at every keyframe, so that the first viewer need not wait for long ones.
        let long = self.made < FIRST_SEGMENTS
            || (self.current()).is_none_or(|segment| {
                span.start.saturating_sub(segment.start) >= self.settings.segment_least
            });
        if fragment.random_access && long {
            self.close_segment(Some(span.start));
            self.begin(span.start, now);
        }
        if self.current().is_none() {
            // What can't be decoded is not listed.
            return;
        }
        self.extend(fragment);
    }

    /// Learns from a keyframe how long segments will be: the first of whole GOPs that is long enough.
    fn expect(&mut self, keyframe: u64) {
        let before = self.keyframe.replace(keyframe);
        let gop = before.map_or(0, |before| keyframe.saturating_sub(before));
        if gop > 0 {
            let gops = self.settings.segment_least.div_ceil(gop);
            self.longest = self.longest.max(gops * gop);
        }
    }

    fn begin(&mut self, start: u64, now: UnixMillis) {
        let Some((init, _)) = self.inits.back() else {
            return;
        };
        self.segments.push_back(Segment {
            number: self.next_number,
            init: *init,
            discontinuity: std::mem::take(&mut self.discontinuity),
            date: now,
            parts: Vec::new(),
            listed: 0,
            duration: 0,
            whole: false,
            start,
            bytes: 0,
            gathered: None,
        });
        self.next_number += 1;
        self.written = [None, None];
        self.misfit = false;
    }

    /// Puts a fragment into the open part, or into the next one where it would be too long.
    fn extend(&mut self, fragment: &Fragment) {
        let (target, duration) = (self.settings.part_target, fragment.span.duration);
        if (self.open.as_ref()).is_some_and(|part| part.duration + duration > target) {
            self.close_part(false);
        }
        let part = self.open.get_or_insert_with(|| Part {
            fragments: Vec::new(),
            duration: 0,
            independent: false,
        });
        part.duration += duration;
        part.independent |= fragment.random_access;
        part.fragments.push(fragment.bytes.clone());
        // Another frame like this one would not fit: nothing is gained by waiting for it.
        let full = part.duration + duration > target;
        let size = fragment.bytes.len();
        self.bytes += size;
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += size;
            segment.duration = fragment.span.end().saturating_sub(segment.start);
        }
        if full {
            self.close_part(false);
        }
        self.shrink();
    }

    fn close_part(&mut self, last: bool) {
        let Some(part) = self.open.take() else {
            return;
        };
        let target = self.settings.part_target;
        let fits = part.duration <= target && (last || part.duration * 100 >= target * 85);
        self.misfit |= !fits;
        if let Some(segment) = self.segments.back_mut() {
            self.written = [None, None];
            segment.parts.push(part);
            if !self.misfit {
                segment.listed = segment.parts.len();
            }
        }
    }

    /// Ends the segment that is being made, at the next one's start where that is known.
    fn close_segment(&mut self, next: Option<u64>) {
        if self.current().is_none() {
            return;
        }
        self.close_part(true);
        if let Some(segment) = self.segments.back_mut() {
            self.written = [None, None];
            segment.whole = true;
            self.made += 1;
            if let Some(next) = next.filter(|next| *next > segment.start) {
                segment.duration = next - segment.start;
            }
            self.longest = self.longest.max(segment.duration);
            segment.gather(self.settings.gather);
        }
        self.shrink();
    }

    /// The segment that is being made.
    fn current(&self) -> Option<&Segment> {
        self.segments.back().filter(|segment| !segment.whole)
    }

    fn shrink(&mut self) {
        let whole = |segments: &VecDeque<Segment>| segments.iter().filter(|s| s.whole).count();
        while whole(&self.segments) > self.settings.segments || self.bytes > self.settings.bytes {
            if let Some(oldest) = self.segments.pop_front() {
                self.written = [None, None];
                self.bytes -= oldest.bytes;
                if !oldest.whole {
                    self.open = None;
                }
                // It counts once the segment that bears the tag is gone (6.2.2).
                self.discontinuities += u64::from(oldest.discontinuity);
            }
        }
        self.forget_inits();
    }

    fn forget_inits(&mut self) {
        let oldest = self.segments.front().map(|segment| segment.init);
        while self.inits.len() > 1
            && self.inits.front().map(|(id, _)| *id) < oldest.or(self.inits.back().map(|i| i.0))
        {
            self.inits.pop_front();
        }
    }

    /// The newest thing there is.
    pub fn edge(&self) -> Edge {
        match self.current() {
            Some(segment) => Edge {
                segment: segment.number,
                parts: segment.listed as u64,
            },
            None => Edge {
                segment: self.next_number,
                parts: 0,
            },
        }
    }

    /// Whether players can start. Only then is it known how long the stream's segments are, and the
    /// target duration must not change from one playlist to the next.
    pub fn is_playable(&self) -> bool {
        self.made >= FIRST_SEGMENTS && !self.segments.is_empty()
    }

    /// An init segment.
    pub fn init_segment(&self, id: InitId) -> Option<Bytes> {
        let found = self.inits.iter().find(|(known, _)| *known == id)?;
        Some(found.1.clone())
    }

    /// The fragments of a whole segment.
    pub fn segment(&self, number: u64) -> Option<Vec<Bytes>> {
        let segment = self.find(number).filter(|segment| segment.whole)?;
        Some(match &segment.gathered {
            Some(gathered) => vec![gathered.clone()],
            None => segment.fragments(),
        })
    }

    /// The fragments of a listed part, counted from 0.
    pub fn part(&self, number: u64, part: u64) -> Option<Vec<Bytes>> {
        let segment = self.find(number)?;
        let index = usize::try_from(part)
            .ok()
            .filter(|index| *index < segment.listed)?;
        Some(segment.parts.get(index)?.fragments.clone())
    }

    fn find(&self, number: u64) -> Option<&Segment> {
        let first = self.segments.front()?.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.segments.get(index)
    }
}

#[cfg(test)]
mod tests;
