//! One contestant with its readers: from start to figures.

use std::time::Duration;

use serde_json::{Value, json};

use super::pair::{Outcome, Pair};
use super::plan::{Contestant, Plan};

/// What was measured.
#[derive(Clone, Debug)]
pub struct Round {
    pub name: String,
    /// CPU milliseconds of the whole process for one reader and second.
    pub cpu: f64,
    /// Shares of a core.
    pub busy: f64,
    pub load_busy: f64,
    /// Milliseconds from publication to the last byte at a reader who is watched.
    pub each_reader: Option<Percentiles>,
    /// The same of each fragment's last reader.
    pub last_reader: Option<Percentiles>,
    /// Milliseconds between two fragments at a reader.
    pub apart: Option<Percentiles>,
    /// The longest that a reader had nothing to read, in milliseconds.
    pub silence: f64,
    /// Milliseconds from publication until all was handed to the kernel; the server's own view.
    pub written: Vec<f64>,
    /// Milliseconds until the first keyframe began to arrive, and had arrived.
    pub joined: Joined,
    pub outcome: Outcome,
}

/// Milliseconds of each who joined.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// From connect() to the verdict.
    pub answered: Vec<f64>,
    /// From there to the first keyframe's first bytes.
    pub after_answer: Vec<f64>,
    /// From connect() to these, and to the last ones.
    pub begun: Vec<f64>,
    pub whole: Vec<f64>,
    pub failed: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Round {
    /// Runs it. `closer`: besides the window, the server is watched from inside, and readers join.
    pub fn run(contestant: &Contestant, readers: usize, closer: bool, plan: &Plan) -> Self {
        let mut pair = Pair::start(contestant);
        pair.connect(readers, plan);
        let (end, seen) = pair.window(plan.window);
        let (mut written, mut joined) = (Vec::new(), Joined::default());
        if closer {
            pair.server.ask("watch");
            std::thread::sleep(plan.watch);
            written = numbers(&pair.server.ask("watched"));
            joined = Joined::read(&pair.load.ask(&format!("join {}", plan.joins)));
        }
        let outcome = pair.finish(readers, &end);
        let busy = |end: &Value| number(&end["cpu_nanos"]) / number(&end["wall_nanos"]);
        Self {
            name: contestant.name.clone(),
            cpu: cpu(&end, readers),
            busy: busy(&end),
            load_busy: busy(&seen),
            each_reader: Percentiles::read(&seen["each_reader"]),
            last_reader: Percentiles::read(&seen["last_reader"]),
            apart: Percentiles::read(&seen["apart"]),
            silence: number(&seen["longest_silence"]),
            written,
            joined,
            outcome,
        }
    }

    /// For the file.
    pub fn json(&self) -> Value {
        let percentiles = |of: Option<Percentiles>| of.map(Percentiles::json);
        json!({
            "contestant": self.name,
            "cpu_ms_per_reader_second": self.cpu,
            "busy": self.busy,
            "load_busy": self.load_busy,
            "each_reader_ms": percentiles(self.each_reader),
            "last_reader_ms": percentiles(self.last_reader),
            "apart_ms": percentiles(self.apart),
            "longest_silence_ms": self.silence,
            "written_ms": self.written,
            "joined_ms": self.joined.json(),
            "skips": self.outcome.skips,
            "stalled": self.outcome.stalled,
            "closed": self.outcome.closed,
            "pictures": self.outcome.pictures,
            "complaint": self.outcome.complaint(),
        })
    }
}

/// CPU milliseconds of a window for one reader and second.
pub fn cpu(end: &Value, readers: usize) -> f64 {
    let seconds = Duration::from_nanos(number(&end["wall_nanos"]) as u64).as_secs_f64();
    number(&end["cpu_nanos"]) / 1e6 / seconds / readers as f64
}

impl Joined {
    pub fn read(told: &Value) -> Self {
        Self {
            answered: numbers(&told["answered"]),
            after_answer: numbers(&told["after_answer"]),
            begun: numbers(&told["begun"]),
            whole: numbers(&told["whole"]),
            failed: told["failed"].as_u64().unwrap_or_default(),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "answered": self.answered,
            "after_answer": self.after_answer,
            "begun": self.begun,
            "whole": self.whole,
            "failed": self.failed,
        })
    }
}

impl Percentiles {
    /// Nothing where nobody was watched.
    pub fn read(value: &Value) -> Option<Self> {
        value.is_object().then(|| Self {
            p50: number(&value["p50"]),
            p99: number(&value["p99"]),
            max: number(&value["max"]),
        })
    }

    pub fn json(self) -> Value {
        json!({"p50": self.p50, "p99": self.p99, "max": self.max})
    }
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().expect("a child answers with numbers")
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(number).collect()
}
