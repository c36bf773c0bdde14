//! One server, or one floor, with its readers: from start to figures.

use std::time::Duration;

use serde_json::Value;

use super::child::Child;
use super::plan::Plan;

/// What is put under the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Server,
    Floor,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Round {
    pub kind: Kind,
    /// CPU seconds of the whole process for 10,000 messages to readers.
    pub cpu_per_10k: f64,
    /// Shares of a core.
    pub busy: f64,
    pub load_busy: f64,
    /// Milliseconds from publication to the last byte at a reader.
    pub each_reader: Percentiles,
    /// The same of each fragment's last reader.
    pub last_reader: Percentiles,
    /// Milliseconds from publication until all was handed to the kernel; the server's own view.
    pub written: Vec<f64>,
    /// Milliseconds from connect() until the first keyframe began to arrive, and had arrived.
    pub join_begun: Vec<f64>,
    pub join_whole: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
}

/// How long the last bytes may take to arrive.
const SETTLE: Duration = Duration::from_millis(500);

impl Round {
    /// Runs it; panics where a reader has missed anything, because the figures would then be of less
    /// work than they say.
    pub fn run(kind: Kind, readers: usize, plan: &Plan) -> Self {
        let seconds = plan.stream_seconds(readers).to_string();
        let (role, entrance) = match kind {
            Kind::Server if plan.epoll => ("epoll", "door"),
            Kind::Server => ("server", "door"),
            Kind::Floor => ("floor", "floor"),
        };
        let (mut server, ready) = Child::spawn(&[role, &seconds]);
        let address = ready["address"].as_str().expect("it listens").to_owned();
        let (mut load, _) = Child::spawn(&["load", entrance, &address]);
        server.ask("start");
        load.ask(&format!("connect {readers}"));
        std::thread::sleep(plan.warm_up);
        load.ask("begin");
        server.ask("begin");
        std::thread::sleep(plan.window);
        let server_end = server.ask("end");
        let load_end = load.ask("end");
        assert_eq!(server_end["readers"], readers, "all are in");

        let (mut written, mut joined) = (Vec::new(), Value::Null);
        if kind == Kind::Server {
            server.ask("watch");
            std::thread::sleep(plan.watch);
            written = numbers(&server.ask("watched"));
            joined = load.ask(&format!("join {}", plan.joins));
        }
        server.ask("stop");
        std::thread::sleep(SETTLE);
        check(&load.ask("finish"), readers);

        let messages = number(&server_end["fragments"]) * readers as f64;
        let busy = |end: &Value| number(&end["cpu_nanos"]) / number(&end["wall_nanos"]);
        Self {
            kind,
            cpu_per_10k: number(&server_end["cpu_nanos"]) / 1e9 / messages * 10_000.0,
            busy: busy(&server_end),
            load_busy: busy(&load_end),
            each_reader: Percentiles::of(&load_end["each_reader"]),
            last_reader: Percentiles::of(&load_end["last_reader"]),
            written,
            join_begun: numbers(&joined["begun"]),
            join_whole: numbers(&joined["whole"]),
        }
    }
}

/// Every reader must have had every fragment from its first to the very last.
fn check(finish: &Value, readers: usize) {
    let clean = ["gaps", "closed", "started_elsewhere"];
    let whole = finish["readers"] == readers
        && finish["first_last"] == finish["last_last"]
        && clean.iter().all(|count| finish[count] == 0);
    assert!(whole, "not everybody had everything: {finish}");
}

impl Percentiles {
    fn of(value: &Value) -> Self {
        Self {
            p50: number(&value["p50"]),
            p99: number(&value["p99"]),
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a child answers with numbers")
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(number).collect()
}
