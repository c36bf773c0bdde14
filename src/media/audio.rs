//! The audio track: contiguous frames, whatever the source's clock does.

use bytes::Bytes;

use super::codec::Aac;
use super::fragment::AccessUnit;
use super::timeline::ticks;

/// The audio track's timeline and the frames that are due; times in samples.
#[derive(Debug)]
pub(crate) struct AudioTrack {
    pub(crate) aac: Aac,
    next: Option<i64>,
    pending_start: i64,
    pending: Vec<Bytes>,
}

impl AudioTrack {
    pub(crate) fn new(aac: Aac) -> Self {
        Self {
            aac,
            next: None,
            pending_start: 0,
            pending: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, unit: AccessUnit) {
        let frame = i64::from(self.aac.frame_samples);
        let time = ticks(unit.pts, self.aac.core_rate);
        let next = *self.next.get_or_insert(time);
        let start = if (time - next).abs() < 2 * frame {
            next
        } else {
            next.max(time)
        };
        if self.pending.is_empty() {
            self.pending_start = start;
        }
        self.pending.push(unit.data);
        self.next = Some(start + frame);
    }

    pub(crate) fn span_ms(&self) -> u64 {
        self.pending.len() as u64 * u64::from(self.aac.frame_samples) * 1000
            / u64::from(self.aac.core_rate)
    }

    pub(crate) fn frames(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn take(&mut self) -> (i64, Vec<Bytes>) {
        (self.pending_start, std::mem::take(&mut self.pending))
    }
}
