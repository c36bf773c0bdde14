//! What it costs to write one stream to many readers, next to a plain loop of write() calls.
//! `README.md` beside this directory says what is measured and how to read it.
//!
//! ```text
//! parent ──▶ server | floor   on core 0   publishes frames, writes them to N sockets
//!        ──▶ load             on core 1   N readers that drain, and see that nothing is missing
//! ```
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod child;
mod connect;
mod floor;
mod inspect;
mod load;
mod media;
mod plan;
mod publish;
mod report;
mod round;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod ticket;

use connect::Entrance;
use h5live::hub::fanout::Means;
use plan::Plan;
use round::{Kind, Round};
use support::machine;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server", seconds] => server::run(seconds.parse().expect("a number"), Means::Auto),
        ["epoll", seconds] => server::run(seconds.parse().expect("a number"), Means::Epoll),
        ["floor", seconds] => floor::run(seconds.parse().expect("a number")),
        ["load", "door", address] => load::run(Entrance::Door(address.parse().expect("address"))),
        ["load", "floor", address] => load::run(Entrance::Floor(address.parse().expect("address"))),
        _ => parent(&Plan::read(&words)),
    }
}

fn parent(plan: &Plan) {
    let described = machine::describe();
    machine::pin(machine::processes::MEASURING_CORE);
    machine::print(&described);
    println!("{plan}");
    let mut cases = Vec::new();
    for &readers in &plan.readers {
        let mut pairs = Vec::new();
        for repeat in 0..plan.repeats {
            // Who goes first changes, so that a machine that grows slower favours neither.
            let (first, second) = match repeat % 2 {
                0 => (Kind::Floor, Kind::Server),
                _ => (Kind::Server, Kind::Floor),
            };
            let mut rounds = [first, second].map(|kind| Round::run(kind, readers, plan));
            rounds.sort_by_key(|round| round.kind);
            report::progress(&rounds);
            pairs.push(rounds);
        }
        cases.push(report::Case { readers, pairs });
    }
    report::print(&cases);
    support::figures::write_json("fanout", &report::json(described, plan, &cases));
}
