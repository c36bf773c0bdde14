//! The figures of all rounds, as tables and as JSON.

use serde_json::{Value, json};

use super::plan::Plan;
use super::round::{Percentiles, Round};
use super::support::figures::{Spread, percentile, print_table};

/// A load generator above this may be what one waits for.
const LOAD_SATURATED: f64 = 0.9;

/// All repeats with one number of readers: server first, floor second.
pub struct Case {
    pub readers: usize,
    pub pairs: Vec<[Round; 2]>,
}

impl Case {
    fn spread(&self, figure: impl Fn(&[Round; 2]) -> f64) -> Spread {
        Spread::of(self.pairs.iter().map(figure))
    }

    fn server(&self) -> Spread {
        self.spread(|[server, _]| server.cpu_per_10k)
    }

    fn floor(&self) -> Spread {
        self.spread(|[_, floor]| floor.cpu_per_10k)
    }

    /// Of the two rounds of one repeat, because they ran next to each other.
    fn ratio(&self) -> Spread {
        self.spread(|[server, floor]| server.cpu_per_10k / floor.cpu_per_10k)
    }

    /// All repeats' samples together, sorted; they are few in each.
    fn samples(&self, of: impl Fn(&Round) -> &[f64]) -> Vec<f64> {
        let mut all: Vec<f64> = self
            .pairs
            .iter()
            .flat_map(|[server, _]| of(server).iter().copied())
            .collect();
        all.sort_by(f64::total_cmp);
        all
    }
}

/// Tells that something happens.
pub fn progress([server, floor]: &[Round; 2]) {
    eprintln!(
        "  server {:.4} floor {:.4} CPU s for 10,000 messages",
        server.cpu_per_10k, floor.cpu_per_10k
    );
}

/// Prints the tables.
pub fn print(cases: &[Case]) {
    println!("\nCPU seconds for 10,000 messages to readers: median (min-max)");
    let head = ["N", "server", "floor", "ratio", "server busy", "load busy"];
    table(&head, cases, |case| {
        let load_busy = case.spread(|[server, floor]| server.load_busy.max(floor.load_busy));
        let note = if load_busy.max > LOAD_SATURATED {
            " SATURATED"
        } else {
            ""
        };
        let server_busy = case.spread(|[server, _]| server.busy);
        vec![
            case.server().text(4),
            case.floor().text(4),
            case.ratio().text(2),
            share(server_busy.median),
            share(load_busy.median) + note,
        ]
    });

    println!("\nfragment complete to its last byte, ms: p50 / p99, median of repeats");
    let head = [
        "N",
        "at a reader",
        "floor",
        "at the last reader",
        "floor",
        "all written",
    ];
    table(&head, cases, |case| {
        let both = |of: fn(&Round) -> Percentiles, index: usize| {
            let p50 = case.spread(|pair| of(&pair[index]).p50).median;
            let p99 = case.spread(|pair| of(&pair[index]).p99).median;
            pair(p50, p99)
        };
        vec![
            both(|round| round.each_reader, 0),
            both(|round| round.each_reader, 1),
            both(|round| round.last_reader, 0),
            both(|round| round.last_reader, 1),
            of_samples(&case.samples(|round| &round.written)),
        ]
    });

    println!("\nconnect() to the first keyframe, ms, joining the running stream: p50 / p99");
    table(&["N", "begun", "whole"], cases, |case| {
        vec![
            of_samples(&case.samples(|round| &round.join_begun)),
            of_samples(&case.samples(|round| &round.join_whole)),
        ]
    });
    println!();
}

fn table(head: &[&str], cases: &[Case], cells: impl Fn(&Case) -> Vec<String>) {
    let mut rows = vec![head.iter().map(|&cell| cell.to_owned()).collect()];
    rows.extend(cases.iter().map(|case| {
        let mut row = vec![case.readers.to_string()];
        row.extend(cells(case));
        row
    }));
    print_table(&rows);
}

fn share(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

fn pair(p50: f64, p99: f64) -> String {
    format!("{p50:.2} / {p99:.2}")
}

fn of_samples(sorted: &[f64]) -> String {
    match sorted {
        [] => "none".into(),
        _ => pair(percentile(sorted, 50.0), percentile(sorted, 99.0)),
    }
}

/// Everything, for a machine to compare.
pub fn json(machine: Value, plan: &Plan, cases: &[Case]) -> Value {
    let cases: Vec<Value> = cases
        .iter()
        .map(|case| {
            let rounds = case.pairs.iter().flatten().map(round).collect::<Vec<_>>();
            json!({
                "readers": case.readers,
                "server_cpu_seconds_per_10k": case.server().json(),
                "floor_cpu_seconds_per_10k": case.floor().json(),
                "ratio": case.ratio().json(),
                "rounds": rounds,
            })
        })
        .collect();
    json!({
        "machine": machine,
        "window_seconds": plan.window.as_secs(),
        "repeats": plan.repeats,
        "cases": cases,
    })
}

fn round(round: &Round) -> Value {
    let percentiles = |of: Percentiles| json!({"p50": of.p50, "p99": of.p99});
    json!({
        "kind": format!("{:?}", round.kind).to_lowercase(),
        "cpu_seconds_per_10k": round.cpu_per_10k,
        "busy": round.busy,
        "load_busy": round.load_busy,
        "each_reader_ms": percentiles(round.each_reader),
        "last_reader_ms": percentiles(round.last_reader),
        "written_ms": round.written,
        "join_begun_ms": round.join_begun,
        "join_whole_ms": round.join_whole,
    })
}
