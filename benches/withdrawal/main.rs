//! How long after the API is asked the last of many sessions has been told to end.
//! `README.md` beside this directory says what is measured and how to read it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audience;
mod door;
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
use door::{Door, File, Playlist, WebSocket};
use figures::{Spread, percentile, print_table, write_json};
use serde_json::json;
use support::origin::Origin;
use support::publisher::{self, Publisher};
use support::server::{Options, Server};

const STREAM: &str = "ABCDE-demo";
const SESSIONS: usize = 1000;
const ROUNDS: usize = 3;

/// Makes a client of a door from what its address ends with.
type MakeDoor = fn(&str) -> Box<dyn Door>;

/// How long media flows to all before they are ended.
const PLAYS: Duration = Duration::from_secs(8);

fn main() {
    machine::processes::allow_files();
    let described = machine::describe();
    machine::print(&described);
    println!(
        "{SESSIONS} sessions of one stream, revoked by its name; milliseconds, of {ROUNDS} rounds"
    );
    let origin = Origin::start();
    let server = Server::start(&Options::with_origin(&origin.url("live")));
    let options = publisher::Options {
        video_kbits: 400,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&origin, STREAM, &options);

    let doors: [(&str, MakeDoor); 3] = [
        ("WebSocket", |query| Box::new(WebSocket::new(query))),
        ("stream.mp4", |query| Box::new(File::new(query))),
        ("LL-HLS", |query| Box::new(Playlist::new(query))),
    ];
    let head = ["door", "median", "p99", "last", "answer"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut report = json!({"machine": described, "sessions": SESSIONS});
    for (name, door) in doors {
        let mut times: [Vec<f64>; 4] = Default::default();
        for round in 1..=ROUNDS {
            server.register(STREAM, &format!("the secret of round {round} by {name}"));
            let figures = withdraw(&server, &origin.url("live"), door);
            for (times, figure) in times.iter_mut().zip(figures) {
                times.push(figure);
            }
        }
        let spreads = times.map(Spread::of);
        let mut row = vec![name.to_owned()];
        row.extend(spreads.iter().map(|spread| spread.text(1)));
        rows.push(row);
        report[name] = json!({"p99_ms": spreads[1].json(), "last_ms": spreads[2].json()});
    }
    print_table(&rows);
    write_json("withdrawal", &report);
}

/// Lets all in by one door and withdraws the stream: milliseconds to the median, the 99th percentile and
/// the last of them, and to the API's answer.
fn withdraw(server: &Server, origin: &str, door: MakeDoor) -> [f64; 4] {
    let token = server.mint(&json!({"streamname": STREAM}));
    let url = server.websocket_url(origin, STREAM, &token);
    let (_, query) = url.split_once('?').expect("a query");
    let base = server.base();
    let (_, authority) = base.split_once("//").expect("an address");
    let mut audience = Audience::enter(authority, SESSIONS, |number| {
        // Each is a player of its own.
        door(&query.replace("pid=", &format!("pid={number}")))
    });
    audience.watch(PLAYS);
    let asked = Instant::now();
    let (ended, (answer, took)) = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let answer = server.post("/secure/revoke", &json!({"streamname": STREAM}));
            (answer, asked.elapsed())
        });
        let ended = audience.ends(asked);
        (ended, asking.join().expect("the API answers"))
    });
    assert_eq!((answer.0, &answer.1["sessions"]), (200, &json!(SESSIONS)));
    [
        percentile(&ended, 50.0),
        percentile(&ended, 99.0),
        percentile(&ended, 100.0),
        took.as_secs_f64() * 1000.0,
    ]
}
