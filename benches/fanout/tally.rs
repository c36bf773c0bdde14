//! What all readers together have seen.

use std::time::Instant;

use serde_json::{Value, json};

use super::media::Seen;
use super::support::figures::percentile;
use super::support::machine::{cpu_nanos, processes::now_nanos};

/// Counts for the whole run, and times for the window that is measured.
pub struct Tally {
    /// Fragments that were left out, of those who are watched, since the window began.
    pub gaps: u64,
    pub closed: u64,
    /// Readers whose first fragment was no keyframe, where they must start at one.
    pub started_elsewhere: u64,
    at_keyframe: bool,
    window: Option<Window>,
}

struct Window {
    begun: Instant,
    since: u64,
    cpu: u64,
    /// From publication to the last byte at a reader who is watched, in milliseconds, of every message.
    delays: Vec<f32>,
    /// The same of the last reader, by sequence number.
    last_reader: Vec<f32>,
    first_sequence: Option<u32>,
    /// Between two fragments of one who is watched, in milliseconds.
    apart: Vec<f32>,
    /// The longest between two reads of anybody, in nanoseconds.
    silence: u64,
}

impl Tally {
    pub fn new(at_keyframe: bool) -> Self {
        Self {
            gaps: 0,
            closed: 0,
            started_elsewhere: 0,
            at_keyframe,
            window: None,
        }
    }

    /// A fragment is whole at one who is watched. `before` is its sequence number before, and `at` the time of that.
    /// Of readers that come in during the window nothing is timed: what they get first was published before.
    pub fn fragment(&mut self, before: Option<u32>, seen: &Seen, at: u64, now: u64) {
        match before {
            Some(before) => self.gaps += u64::from(seen.sequence != before + 1),
            None => self.started_elsewhere += u64::from(self.at_keyframe && !seen.keyframe),
        }
        let Some(window) = &mut self.window else {
            return;
        };
        if before.is_none() || seen.published < window.since {
            return;
        }
        let delay = now.saturating_sub(seen.published) as f32 / 1e6;
        window.delays.push(delay);
        window.apart.push((now - at) as f32 / 1e6);
        let first = *window.first_sequence.get_or_insert(seen.sequence);
        let index = seen.sequence.saturating_sub(first) as usize;
        if index >= window.last_reader.len() {
            window.last_reader.resize(index + 1, 0.0);
        }
        window.last_reader[index] = window.last_reader[index].max(delay);
    }

    /// A reader reads after having read nothing since `before`.
    pub fn silence(&mut self, before: u64, now: u64) {
        if let Some(window) = &mut self.window
            && before > 0
        {
            window.silence = window.silence.max(now - before);
        }
    }

    pub fn begin(&mut self) {
        self.gaps = 0;
        self.window = Some(Window {
            begun: Instant::now(),
            since: now_nanos(),
            cpu: cpu_nanos(),
            delays: Vec::with_capacity(1 << 16),
            last_reader: Vec::with_capacity(1 << 12),
            first_sequence: None,
            apart: Vec::with_capacity(1 << 16),
            silence: 0,
        });
    }

    pub fn end(&mut self) -> Value {
        let window = self.window.take().expect("a window was begun");
        let wall = window.begun.elapsed().as_nanos() as u64;
        let cpu = cpu_nanos() - window.cpu;
        json!({
            "wall_nanos": wall,
            "cpu_nanos": cpu,
            "messages": window.delays.len(),
            "each_reader": percentiles(window.delays),
            "last_reader": percentiles(window.last_reader),
            "apart": percentiles(window.apart),
            "longest_silence": window.silence as f64 / 1e6,
        })
    }
}

/// Nothing where there are no figures.
fn percentiles(figures: Vec<f32>) -> Value {
    let mut sorted: Vec<f64> = figures.into_iter().map(f64::from).collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return Value::Null;
    }
    json!({
        "p50": percentile(&sorted, 50.0),
        "p99": percentile(&sorted, 99.0),
        "max": sorted[sorted.len() - 1],
    })
}
