//! How many readers there can be: more and more of them, until one of them stands still.

use serde_json::{Value, json};

use super::case::Case;
use super::plan::Plan;
use super::round::Round;
use super::support::figures::print_table;
use super::support::machine::processes::allow_files;

/// A player has this much before it stands still, at the least.
const STANDS_STILL_MS: f64 = 500.0;

/// Files that a process has besides its readers' sockets, generously.
const OTHER_FILES: usize = 200;

/// Runs and prints all numbers of readers up to the first that breaks; returns everything for a machine to
/// compare. That it breaks somewhere is what is asked, and no failure.
pub fn run(machine: Value, plan: &Plan) -> Value {
    let files = allow_files();
    let mut cases = Vec::new();
    for &readers in &plan.readers {
        if (readers + OTHER_FILES) as u64 > files {
            println!("only {files} open files are allowed (ulimit -Hn): no more readers are tried");
            break;
        }
        cases.push(Case::run(readers, plan));
        if breaks(&cases[cases.len() - 1]).is_some() {
            break;
        }
    }
    print(&cases);
    let holds = cases.iter().filter(|case| breaks(case).is_none());
    let most = holds.map(|case| case.readers).max();
    match cases.iter().find_map(|case| Some((case, breaks(case)?))) {
        Some((case, why)) => println!("breaks at {} readers: {why}", case.readers),
        None => println!("does not break"),
    }
    let each = cases.iter().map(|case| {
        let mut each = case.json();
        each["breaks"] = json!(breaks(case));
        each
    });
    json!({
        "machine": machine,
        "plan": plan.to_string(),
        "most_readers": most,
        "cases": each.collect::<Vec<_>>(),
    })
}

/// Why so many are too many.
fn breaks(case: &Case) -> Option<String> {
    let silence = case.spread(0, |round| round.silence).max;
    let stands_still = silence > STANDS_STILL_MS;
    let still = || stands_still.then(|| format!("a reader had nothing for {silence:.0} ms"));
    case.complaint().or_else(still)
}

fn print(cases: &[Case]) {
    println!("\nreaders on both cores, with the load that reads: median of repeats");
    let head = [
        "N",
        "in",
        "CPU ms a reader and second",
        "cores busy",
        "load's",
        "at a reader p50 / p99, ms",
        "apart p99 / longest, ms",
        "skips",
        "closed",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(cases.iter().map(|case| {
        let round = |figure: fn(&Round) -> f64| case.spread(0, figure).median;
        let latency = |figure| {
            let spread = case.percentile(0, |round| round.each_reader, figure);
            spread.map_or(f64::NAN, |spread| spread.median)
        };
        let apart = case.percentile(0, |round| round.apart, |of| of.p99);
        vec![
            case.readers.to_string(),
            round(|round| round.outcome.readers as f64).to_string(),
            case.cpu(0).text(3),
            format!("{:.2}", round(|round| round.busy)),
            format!("{:.2}", round(|round| round.load_busy)),
            format!("{:.1} / {:.1}", latency(|of| of.p50), latency(|of| of.p99)),
            format!(
                "{:.0} / {:.0}",
                apart.map_or(f64::NAN, |spread| spread.median),
                round(|round| round.silence)
            ),
            round(|round| round.outcome.skips as f64).to_string(),
            round(|round| (round.outcome.stalled + round.outcome.closed) as f64).to_string(),
        ]
    }));
    print_table(&rows);
}
