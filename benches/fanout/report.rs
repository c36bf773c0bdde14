//! The figures of all rounds, as tables and as JSON.

use serde_json::{Value, json};

use super::case::Case;
use super::plan::Plan;
use super::round::{Percentiles, Round};
use super::support::figures::{Spread, percentile, print_table};

/// A load generator above this may be what one waits for.
pub const LOAD_SATURATED: f64 = 0.9;

/// With fewer readers a process mostly wakes up and goes to sleep, and a reader's share of that says nothing.
const GROWTH_FROM: usize = 100;

/// Prints the tables.
pub fn print(cases: &[Case]) {
    let Some(first) = cases.first() else { return };
    let contestants = first.contestants();
    let others = 1..contestants.len();

    println!("\nCPU ms for a reader and second: median (min-max)");
    let mut head: Vec<String> = contestants.iter().map(|it| it.name.clone()).collect();
    head.extend(
        others
            .clone()
            .map(|it| format!("x {}", contestants[it].name)),
    );
    head.extend(["growth", "busy", "load busy"].map(str::to_owned));
    table(&head, cases, |case| {
        let mut cells: Vec<String> = (0..contestants.len())
            .map(|which| case.cpu(which).text(3))
            .collect();
        cells.extend(others.clone().map(|which| case.ratio(which).text(2)));
        cells.push(growth(case, cases).map_or("".into(), |times| format!("{times:.2}")));
        cells.push(share(case.spread(0, |round| round.busy)));
        cells.push(busy(case.load_busy()));
        cells
    });

    println!("\nfragment complete to its last byte, ms: p50 / p99, median of repeats");
    let each: Vec<usize> = (0..contestants.len())
        .filter(|&which| contestants[which].each_reader.is_some())
        .collect();
    let mut head = Vec::new();
    for &which in &each {
        head.push(format!("{} at a reader", contestants[which].name));
        head.push("at the last".to_owned());
    }
    head.push("all written".into());
    table(&head, cases, |case| {
        let mut cells = Vec::new();
        for &which in &each {
            cells.push(latency(case, which, |round| round.each_reader));
            cells.push(latency(case, which, |round| round.last_reader));
        }
        cells.push(of_samples(&case.samples(|round| &round.written)));
        cells
    });

    if cases
        .iter()
        .all(|case| case.samples(|round| &round.joined.begun).is_empty())
    {
        return;
    }
    println!("\njoining the running stream, ms: p50 / p99");
    let head = [
        "connect() to verdict",
        "verdict to keyframe",
        "connect() to keyframe",
        "to its end",
    ];
    table(&head.map(str::to_owned), cases, |case| {
        let of: [fn(&Round) -> &[f64]; 4] = [
            |round| &round.joined.answered,
            |round| &round.joined.after_answer,
            |round| &round.joined.begun,
            |round| &round.joined.whole,
        ];
        of.map(|of| of_samples(&case.samples(of))).to_vec()
    });
}

/// Whether everybody had everything, and where not.
pub fn print_outcomes(cases: &[Case]) {
    println!();
    for case in cases {
        if let Some(complaint) = case.complaint() {
            println!("{} readers, {complaint}", case.readers);
        }
    }
    let pictures = cases.iter().flat_map(|case| case.repeats.iter().flatten());
    let pictures: u64 = pictures.filter_map(|round| round.outcome.pictures).sum();
    if cases.iter().all(|case| case.complaint().is_none()) {
        println!(
            "everybody had every fragment up to the last; {pictures} pictures were decoded of samples"
        );
    }
}

/// How much more a reader costs than with [`GROWTH_FROM`] readers.
pub fn growth(case: &Case, cases: &[Case]) -> Option<f64> {
    let from = cases.iter().find(|case| case.readers == GROWTH_FROM)?;
    (case.readers > GROWTH_FROM).then(|| case.cpu(0).median / from.cpu(0).median)
}

fn table(head: &[String], cases: &[Case], cells: impl Fn(&Case) -> Vec<String>) {
    let mut rows = vec![[&["N".to_owned()], head].concat()];
    rows.extend(cases.iter().map(|case| {
        let mut row = vec![case.readers.to_string()];
        row.extend(cells(case));
        row
    }));
    print_table(&rows);
}

fn share(part: Spread) -> String {
    format!("{:.0} %", part.median * 100.0)
}

/// The load's share of a core, and a word of warning.
pub fn busy(load: Spread) -> String {
    let saturated = load.max > LOAD_SATURATED;
    share(load) + if saturated { " SATURATED" } else { "" }
}

fn latency(case: &Case, which: usize, of: fn(&Round) -> Option<Percentiles>) -> String {
    let p50 = case.percentile(which, of, |of| of.p50);
    let p99 = case.percentile(which, of, |of| of.p99);
    p50.zip(p99)
        .map_or("none".into(), |(p50, p99)| pair(p50.median, p99.median))
}

fn pair(p50: f64, p99: f64) -> String {
    format!("{p50:.2} / {p99:.2}")
}

/// Of sorted figures.
pub fn of_samples(sorted: &[f64]) -> String {
    match sorted {
        [] => "none".into(),
        _ => pair(percentile(sorted, 50.0), percentile(sorted, 99.0)),
    }
}

/// Everything, for a machine to compare.
pub fn json(machine: Value, plan: &Plan, cases: &[Case]) -> Value {
    let each = cases.iter().map(|case| {
        let mut each = case.json();
        each["growth"] = json!(growth(case, cases));
        each
    });
    json!({
        "machine": machine,
        "plan": plan.to_string(),
        "window_seconds": plan.window.as_secs(),
        "repeats": plan.repeats,
        "cases": each.collect::<Vec<_>>(),
    })
}
