//! How many can come in a second, with good tokens and with bad ones, and what those who play notice.
//! `README.md` beside this directory says what is measured and how to read it.
//!
//! ```text
//! server   core 0             one live stream, the real doors
//! live     core 1             some who play it
//! crowd    core 1, nice 15    connects, shows a token, leaves with its verdict
//! ```
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../fanout/authority.rs"]
mod authority;
#[path = "../fanout/child.rs"]
#[allow(dead_code)]
mod child;
mod crowd;
#[path = "../support/figures.rs"]
mod figures;
#[path = "../fanout/inspect.rs"]
#[allow(dead_code)]
mod inspect;
mod live;
#[path = "../support/machine.rs"]
mod machine;
#[path = "../fanout/media.rs"]
#[allow(dead_code)]
mod media;
mod server;
#[path = "../fanout/ticket.rs"]
#[allow(dead_code)]
mod ticket;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use child::Child;
use crowd::Verdicts;
use figures::{Spread, percentile, print_table, write_json};
use live::Seen;
use machine::processes::{MEASURING_CORE, allow_files};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use wire::Way;

/// How much those who storm give way to those who play, who share their core.
const NICE: i32 = 15;

struct Plan {
    tls: bool,
    live: u64,
    at_once: usize,
    repeats: usize,
    before: Duration,
    storm: Duration,
}

impl Plan {
    fn read(words: &[&str]) -> Self {
        let mut plan = Self {
            tls: false,
            live: 50,
            at_once: 64,
            repeats: 3,
            before: Duration::from_secs(6),
            storm: Duration::from_secs(10),
        };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().and_then(|word| word.parse().ok());
            let mut value = || value().unwrap_or_else(|| usage());
            match word {
                "--tls" => plan.tls = true,
                "--live" => plan.live = value(),
                "--at-once" => plan.at_once = value() as usize,
                "--repeats" => plan.repeats = value().max(1) as usize,
                "--seconds" => plan.storm = Duration::from_secs(value()),
                "--bench" => {}
                _ => usage(),
            }
        }
        plan
    }
}

fn usage() -> ! {
    eprintln!("usage: storm [--tls] [--live N] [--at-once N] [--repeats N] [--seconds N]");
    std::process::exit(2);
}

struct Round {
    verdicts: Verdicts,
    seen: Seen,
    wall: f64,
    /// CPU seconds of the server: in the storm, and in a second before it.
    cpu: f64,
    live_cpu: f64,
    crowd_cpu: f64,
    pulls: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["server", seconds] = words[..] {
        return server::run(seconds.parse().expect("a number"));
    }
    let plan = Plan::read(&words);
    allow_files();
    let described = machine::describe();
    machine::pin(MEASURING_CORE);
    machine::print(&described);
    println!(
        "{}, {} who play 720p30 at 2.5 Mbit/s, {} connections at once, half of the tokens forged; {} \
         storms of {} s",
        if plan.tls { "TLS 1.3" } else { "plain" },
        plan.live,
        plan.at_once,
        plan.repeats,
        plan.storm.as_secs()
    );
    let rounds: Vec<Round> = (0..plan.repeats).map(|_| round(&plan)).collect();
    report(described, &plan, &rounds);
}

fn round(plan: &Plan) -> Round {
    let seconds = (plan.before + plan.storm).as_secs() + 60;
    let (mut server, _) = Child::spawn(&["server", &seconds.to_string()]);
    let pair = plan.tls.then(|| {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
        let made = made.expect("a certificate can be made");
        (made.cert.pem(), made.signing_key.serialize_pem())
    });
    let ready = server.ask(&json!(pair).to_string());
    let address = ready["address"].as_str().expect("it listens");
    let way = Way {
        address: address.parse().expect("an address"),
        tls: pair.map(|(certificate, _)| wire::trusting(&certificate)),
    };
    let phase = Arc::new(AtomicUsize::new(live::IDLE));
    let (ready, playing) = channel();
    thread::scope(|scope| {
        let live = scope.spawn(|| live::run(&way, plan.live, &phase, &ready));
        playing
            .recv_timeout(Duration::from_secs(20))
            .expect("all play");
        // The server keeps quiet about a burst's end.
        thread::sleep(Duration::from_secs(2));
        let calm = server.ask("counters");
        phase.store(live::BEFORE, Ordering::Relaxed);
        thread::sleep(plan.before);
        let first = server.ask("counters");
        phase.store(live::DURING, Ordering::Relaxed);
        let begun = Instant::now();
        let crowd = scope.spawn(|| {
            rustix::process::nice(NICE).expect("anybody may give way");
            let verdicts = crowd::run(&way, plan.at_once, plan.storm);
            (verdicts, thread_seconds())
        });
        let (verdicts, crowd_cpu) = crowd.join().expect("all get a verdict");
        let wall = begun.elapsed().as_secs_f64();
        let last = server.ask("counters");
        phase.store(live::OVER, Ordering::Relaxed);
        let number = |of: &Value, key: &str| of[key].as_f64().expect("a number");
        let cpu =
            |from: &Value, to: &Value| (number(to, "cpu_nanos") - number(from, "cpu_nanos")) / 1e9;
        let accepted = number(&last, "accepted") - number(&first, "accepted");
        let told = verdicts.times.len() as f64;
        assert_eq!(accepted, told, "a connection for each verdict");
        assert_eq!(
            last["sessions"], plan.live,
            "those who play, and nobody else"
        );
        Round {
            verdicts,
            seen: live.join().expect("those who play"),
            wall,
            cpu: cpu(&first, &last),
            live_cpu: cpu(&calm, &first) / plan.before.as_secs_f64(),
            crowd_cpu,
            pulls: number(&last, "pulls") as u64,
        }
    })
}

fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Panics where somebody with a forged token got anything, or somebody who plays missed anything.
fn check(round: &Round) {
    let told: Vec<&str> = round.verdicts.told.keys().map(String::as_str).collect();
    assert_eq!(
        told,
        ["forged 4901", "valid 4200"],
        "{:?}",
        round.verdicts.told
    );
    assert_eq!(round.verdicts.leaked, 0, "bytes behind a refusal");
    assert_eq!(round.verdicts.broken, 0, "connections without a verdict");
    assert_eq!(round.pulls, 0, "pulls for forged tokens");
    let Seen {
        missing, closed, ..
    } = round.seen;
    assert_eq!((missing, closed), (0, 0), "those who play have all");
}

fn report(machine: Value, plan: &Plan, rounds: &[Round]) {
    rounds.iter().for_each(check);
    let spread = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    let count = |round: &Round| round.verdicts.times.len() as f64;
    let gap = |phase: usize, percent: f64| {
        spread(&|round: &Round| {
            let mut gaps = round.seen.gaps[phase].clone();
            gaps.sort_by(f64::total_cmp);
            percentile(&gaps, percent)
        })
    };
    let time = |percent: f64| {
        spread(&|round: &Round| {
            let mut times = round.verdicts.times.clone();
            times.sort_by(f64::total_cmp);
            percentile(&times, percent)
        })
    };
    let figures = [
        (
            "verdicts a second",
            spread(&|round| count(round) / round.wall),
            0,
        ),
        (
            "verdicts a CPU second of the server",
            spread(&|round| count(round) / (round.cpu - round.live_cpu * round.wall)),
            0,
        ),
        (
            "server busy, share of a core",
            spread(&|round| round.cpu / round.wall),
            2,
        ),
        (
            "crowd busy, share of a core",
            spread(&|round| round.crowd_cpu / round.wall),
            2,
        ),
        ("connect to verdict, p50, ms", time(50.0), 2),
        ("connect to verdict, p99, ms", time(99.0), 2),
        (
            "between fragments before, p99, ms",
            gap(live::BEFORE, 99.0),
            1,
        ),
        (
            "between fragments before, max, ms",
            gap(live::BEFORE, 100.0),
            1,
        ),
        (
            "between fragments in the storm, p99, ms",
            gap(live::DURING, 99.0),
            1,
        ),
        (
            "between fragments in the storm, max, ms",
            gap(live::DURING, 100.0),
            1,
        ),
        (
            "pulls for forged tokens",
            spread(&|round| round.pulls as f64),
            0,
        ),
        (
            "bytes behind a refusal",
            spread(&|round| round.verdicts.leaked as f64),
            0,
        ),
    ];
    let rows = figures.iter();
    let rows: Vec<Vec<String>> = rows
        .map(|(name, spread, digits)| vec![(*name).to_owned(), spread.text(*digits)])
        .collect();
    print_table(&rows);
    let named: serde_json::Map<String, Value> = figures
        .iter()
        .map(|(name, spread, _)| ((*name).to_owned(), spread.json()))
        .collect();
    let name = if plan.tls { "storm-tls" } else { "storm" };
    let report =
        json!({"machine": machine, "live": plan.live, "at_once": plan.at_once, "figures": named});
    write_json(name, &report);
}
