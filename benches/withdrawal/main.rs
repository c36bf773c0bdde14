//! How long after the API is asked the last of many sessions has been told to end.
//! `README.md` beside this directory says what is measured and how to read it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audience;
#[path = "../support/figures.rs"]
#[allow(dead_code)]
mod figures;
#[path = "../support/machine.rs"]
#[allow(dead_code)]
mod machine;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::thread;
use std::time::{Duration, Instant};

use audience::Audience;
use figures::{Spread, percentile, print_table, write_json};
use serde_json::json;
use support::origin::Origin;
use support::publisher::{self, Publisher};
use support::server::{Options, Server};

const STREAM: &str = "ABCDE-demo";
const SESSIONS: usize = 1000;
const ROUNDS: usize = 5;

/// How long media flows to all before they are ended.
const PLAYS: Duration = Duration::from_secs(2);

fn main() {
    machine::processes::allow_files();
    let described = machine::describe();
    machine::print(&described);
    println!("{SESSIONS} sessions by WebSocket of one stream, revoked by its name; milliseconds");
    let origin = Origin::start();
    let server = Server::start(&Options::with_origin(&origin.url("live")));
    let options = publisher::Options {
        video_kbits: 400,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&origin, STREAM, &options);

    let mut rows = vec![
        ["round", "median", "p99", "last", "answer"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut p99s = Vec::new();
    let mut lasts = Vec::new();
    for round in 1..=ROUNDS {
        server.register(STREAM, &format!("the secret of round {round}"));
        let token = server.mint(&json!({"streamname": STREAM}));
        let url = server.websocket_url(&origin.url("live"), STREAM, &token);
        let mut audience = Audience::enter(&url, SESSIONS);
        audience.watch(PLAYS);
        let asked = Instant::now();
        let (ended, answered) = thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let answer = server.post("/secure/revoke", &json!({"streamname": STREAM}));
                (answer, asked.elapsed())
            });
            let ended = audience.ends(asked);
            (ended, asking.join().expect("the API answers"))
        });
        let ((status, answer), took) = answered;
        assert_eq!(
            (status, &answer["sessions"]),
            (200, &json!(SESSIONS)),
            "{answer}"
        );
        let times = [
            percentile(&ended, 50.0),
            percentile(&ended, 99.0),
            percentile(&ended, 100.0),
        ];
        p99s.push(times[1]);
        lasts.push(times[2]);
        let mut row = vec![round.to_string()];
        row.extend(times.iter().map(|time| format!("{time:.1}")));
        row.push(format!("{:.1}", took.as_secs_f64() * 1000.0));
        rows.push(row);
    }
    print_table(&rows);
    let report = json!({
        "machine": described,
        "sessions": SESSIONS,
        "p99_ms": Spread::of(p99s).json(),
        "last_ms": Spread::of(lasts).json(),
    });
    write_json("withdrawal", &report);
}
