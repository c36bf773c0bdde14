//! What it costs to write one stream to many readers, next to a plain loop of write() calls.
//! `README.md` beside this directory says what is measured and how to read it.
//!
//! ```text
//! parent ──▶ server | floor   on core 0   publishes frames, writes them to N sockets
//!        ──▶ load             on core 1   N readers that drain, and see that nothing is missing
//! ```
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authority;
mod capacity;
mod case;
mod child;
mod connect;
mod doorman;
mod drawing;
mod floor;
mod inspect;
mod line;
mod load;
mod media;
mod memory;
mod open;
mod pair;
mod plan;
mod publish;
mod reader;
mod report;
mod round;
mod rush;
mod seal;
mod server;
mod setup;
mod specimen;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod ticket;

use std::process::ExitCode;

use case::Case;
use connect::Entrance;
use plan::{Plan, Question};
use serde_json::Value;
use setup::Setup;
use support::machine;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server", setup] => server::run(&Setup::read(setup)),
        ["floor", setup] => floor::run(&Setup::read(setup)),
        ["load", setup, entrance, ready] => {
            let (setup, ready) = (Setup::read(setup), serde_json::from_str(ready));
            let ready = ready.expect("what a child said");
            let entrance = Entrance::read(&setup, entrance == "door", &ready);
            load::run(setup, entrance);
        }
        _ => return parent(&Plan::read(&words)),
    }
    ExitCode::SUCCESS
}

/// Fails where somebody has missed something, because the figures are then of less work than they say.
fn parent(plan: &Plan) -> ExitCode {
    let described = machine::describe();
    if plan.cores == 1 {
        machine::pin(machine::processes::MEASURING_CORE);
    }
    machine::print(&described);
    println!("{plan}");
    let (figures, well) = match plan.question {
        Question::Cost | Question::Streams(_) => compare(described, plan),
        Question::Capacity => (capacity::run(described, plan), true),
        Question::Rush => rush::run(described, plan),
        Question::Memory => memory::run(described, plan),
    };
    support::figures::write_json(&plan.name(), &figures);
    match well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn compare(machine: Value, plan: &Plan) -> (Value, bool) {
    let cases = plan.readers.iter().map(|&readers| Case::run(readers, plan));
    let cases: Vec<Case> = cases.collect();
    report::print(&cases);
    report::print_outcomes(&cases);
    if let Some(file) = &plan.chart {
        let drawn = drawing::draw(plan, &cases);
        std::fs::write(file, drawn).expect("the chart can be written");
        println!("drawn to {file}");
    }
    let well = cases.iter().all(|case| case.complaint().is_none());
    (report::json(machine, plan, &cases), well)
}
