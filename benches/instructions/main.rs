//! How many instructions the hot paths take, counted by callgrind: a figure that a busy machine does not
//! change. `README.md` beside this directory says how to read it.
//!
//! A path is run twice, shorter and longer, and what the two differ by is what it takes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../fanout/authority.rs"]
mod authority;
#[path = "../fanout/child.rs"]
#[allow(dead_code)]
mod child;
#[path = "../fanout/inspect.rs"]
#[allow(dead_code)]
mod inspect;
#[path = "../fanout/media.rs"]
#[allow(dead_code)]
mod media;
mod paths;
#[path = "../fanout/publish.rs"]
#[allow(dead_code)]
mod publish;
#[path = "../fanout/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../fanout/setup.rs"]
#[allow(dead_code)]
mod setup;
#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;
#[path = "../fanout/ticket.rs"]
#[allow(dead_code)]
mod ticket;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use support::figures::print_table;

/// What is stored, and compared with.
const EXPECTED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/instructions/expected.json"
);

/// In either direction: what became cheaper is to be stored, so that it stays so.
const TOLERANCE: f64 = 0.03;

/// Runs of which the least counts.
const RUNS: usize = 4;

const SHORT: u64 = 60;
const LONG: u64 = 180;
const FEW: u64 = 20;
const MANY: u64 = 80;

type Figures = BTreeMap<String, u64>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse().expect("a number");
    match words[..] {
        ["verify", times] => paths::verify(number(times)),
        ["publish", fragments] => paths::publish(number(fragments)),
        ["fanout", fragments, clients] => paths::fanout(number(fragments), number(clients)),
        [] | ["--bench"] => return compare(&measure()),
        ["--renew", ..] => renew(&measure()),
        _ => {
            eprintln!("usage: instructions [--renew]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn measure() -> Figures {
    let longer = |path: &str, more: &[u64]| {
        let once = |length: u64| count(path, &[&[length], more].concat());
        // What a busy machine adds is never less than nothing: a read more, a wake-up more.
        let run = |length: u64| (0..RUNS).map(|_| once(length)).min().unwrap_or_default();
        run(LONG) - run(SHORT)
    };
    let steps = LONG - SHORT;
    let clients = longer("fanout", &[MANY]) - longer("fanout", &[FEW]);
    Figures::from([
        (
            "a token verified, its query read".to_owned(),
            longer("verify", &[]) / steps,
        ),
        (
            "a fragment muxed and published".to_owned(),
            longer("publish", &[]) / steps,
        ),
        (
            "a fragment written to one client".to_owned(),
            clients / steps / (MANY - FEW),
        ),
    ])
}

/// Instructions of one run, without the kernel's.
fn count(path: &str, numbers: &[u64]) -> u64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .arg(path)
        .args(numbers.iter().map(u64::to_string))
        .output()
        .expect("valgrind runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let counted = told.lines().find_map(|line| {
        let (_, count) = line.split_once("Collected : ")?;
        count.trim().parse().ok()
    });
    assert!(output.status.success(), "{told}");
    counted.unwrap_or_else(|| panic!("callgrind does not tell: {told}"))
}

fn compare(figures: &Figures) -> ExitCode {
    let stored = std::fs::read_to_string(EXPECTED).expect("figures are stored");
    let stored: Figures = serde_json::from_str(&stored).expect("figures are JSON");
    let mut rows = vec![
        ["instructions", "stored", "now", "change"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut holds = figures.len() == stored.len();
    for (name, &now) in figures {
        let before = stored.get(name).copied().unwrap_or(0);
        let change = now as f64 / before as f64 - 1.0;
        holds &= change.abs() <= TOLERANCE;
        rows.push(vec![
            name.clone(),
            before.to_string(),
            now.to_string(),
            format!("{:+.1} %", change * 100.0),
        ]);
    }
    print_table(&rows);
    if holds {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "A path takes more or less than it did, by more than {:.0} %. If that is meant, store the new \
         figures: cargo bench --no-default-features --features doors --bench instructions -- --renew",
        TOLERANCE * 100.0
    );
    ExitCode::FAILURE
}

fn renew(figures: &Figures) {
    let text = serde_json::to_string_pretty(figures).expect("figures are JSON");
    std::fs::write(EXPECTED, text + "\n").expect("the figures can be stored");
    println!("stored in {EXPECTED}");
}
