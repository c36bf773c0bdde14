//! What all readers together have seen.

use std::time::Instant;

use serde_json::{Value, json};

use super::media::Seen;
use super::support::figures::percentile;
use super::support::machine::cpu_nanos;

/// Counts for the whole run, and times for the window that is measured.
pub struct Tally {
    pub gaps: u64,
    pub closed: u64,
    /// Readers whose first fragment was no keyframe, where they must start at one.
    pub started_elsewhere: u64,
    at_keyframe: bool,
    window: Option<Window>,
}

struct Window {
    begun: Instant,
    cpu: u64,
    /// From publication to the last byte at a reader, in milliseconds, of every message.
    delays: Vec<f32>,
    /// The same of the last reader, by sequence number.
    last_reader: Vec<f32>,
    first_sequence: Option<u32>,
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

    pub fn fragment(&mut self, before: Option<u32>, seen: &Seen, now: u64) {
        match before {
            Some(before) => self.gaps += u64::from(seen.sequence != before + 1),
            None => self.started_elsewhere += u64::from(self.at_keyframe && !seen.keyframe),
        }
        let Some(window) = &mut self.window else {
            return;
        };
        let delay = now.saturating_sub(seen.published) as f32 / 1e6;
        window.delays.push(delay);
        let first = *window.first_sequence.get_or_insert(seen.sequence);
        let index = seen.sequence.saturating_sub(first) as usize;
        if index >= window.last_reader.len() {
            window.last_reader.resize(index + 1, 0.0);
        }
        window.last_reader[index] = window.last_reader[index].max(delay);
    }

    pub fn begin(&mut self) {
        self.window = Some(Window {
            begun: Instant::now(),
            cpu: cpu_nanos(),
            delays: Vec::with_capacity(1 << 20),
            last_reader: Vec::with_capacity(1 << 12),
            first_sequence: None,
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
        })
    }
}

fn percentiles(delays: Vec<f32>) -> Value {
    let mut sorted: Vec<f64> = delays.into_iter().map(f64::from).collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return Value::Null;
    }
    json!({
        "p50": percentile(&sorted, 50.0),
        "p99": percentile(&sorted, 99.0),
    })
}
