//! What a viewer costs on each door, next to a plain loop of write() calls.
//! `README.md` beside this directory says what is measured and how to read it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../fanout/authority.rs"]
mod authority;
#[path = "../fanout/child.rs"]
#[allow(dead_code)]
mod child;
#[path = "../fanout/floor.rs"]
mod floor;
mod http;
#[path = "../fanout/inspect.rs"]
#[allow(dead_code)]
mod inspect;
#[path = "../fanout/media.rs"]
#[allow(dead_code)]
mod media;
mod player;
mod players;
#[path = "../fanout/publish.rs"]
mod publish;
#[path = "../fanout/seal.rs"]
mod seal;
#[path = "../fanout/server.rs"]
mod server;
#[path = "../fanout/setup.rs"]
#[allow(dead_code)]
mod setup;
#[path = "../support/mod.rs"]
mod support;
#[path = "../fanout/ticket.rs"]
mod ticket;

use std::time::Duration;

use child::Child;
use player::Door;
use serde_json::{Value, json};
use setup::Setup;
use support::figures::{Spread, print_table, write_json};
use support::machine;

const PLAYERS: usize = 500;
const REPEATS: usize = 3;
const WINDOW: Duration = Duration::from_secs(12);

/// Players of whole segments come in step with the stream only after some of them.
const WARM_UP: Duration = Duration::from_secs(6);

/// One door's CPU time: milliseconds for one player and second, and shares of a core.
struct Figures {
    cpu: f64,
    load_busy: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server"] => server::run(&Setup::default()),
        ["floor"] => floor::run(&Setup::default()),
        ["players", door, address] => {
            players::run(Door::read(door), address.parse().expect("address"));
        }
        [] | ["--bench"] => parent(PLAYERS, REPEATS),
        ["--quick", "--bench"] => parent(PLAYERS, 1),
        ["--players", players, "--bench"] => parent(players.parse().expect("a number"), REPEATS),
        _ => {
            eprintln!("usage: doors [--quick | --players N]");
            std::process::exit(2);
        }
    }
}

fn parent(players: usize, repeats: usize) {
    let described = machine::describe();
    machine::pin(machine::processes::MEASURING_CORE);
    machine::print(&described);
    println!(
        "{players} players of 720p30 at 2.5 Mbit/s; {repeats} repeats of {} s, server on core 0 and \
         players on core 1",
        WINDOW.as_secs()
    );
    let mut rounds: Vec<Vec<Figures>> = Door::ALL.iter().map(|_| Vec::new()).collect();
    for _ in 0..repeats {
        for (figures, door) in rounds.iter_mut().zip(Door::ALL) {
            figures.push(round(door, players));
            eprintln!("  {door}: {:.3}", figures[figures.len() - 1].cpu);
        }
    }
    report(described, players, &rounds);
}

fn report(machine: Value, players: usize, rounds: &[Vec<Figures>]) {
    let mut rows = vec![
        ["door", "CPU ms a player and second", "x floor", "load busy"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut doors = Vec::new();
    for (figures, door) in rounds.iter().zip(Door::ALL) {
        let cpu = Spread::of(figures.iter().map(|figures| figures.cpu));
        let busy = Spread::of(figures.iter().map(|figures| figures.load_busy));
        let floors = rounds[0].iter();
        let ratio = Spread::of(
            figures
                .iter()
                .zip(floors)
                .map(|(ours, floor)| ours.cpu / floor.cpu),
        );
        rows.push(vec![
            door.to_string(),
            cpu.text(3),
            ratio.text(2),
            format!("{:.0} %", busy.median * 100.0),
        ]);
        doors.push(json!({
            "door": door.to_string(),
            "cpu_ms_per_player_second": cpu.json(),
            "ratio": ratio.json(),
            "load_busy": busy.json(),
        }));
    }
    print_table(&rows);
    let report = json!({"machine": machine, "players": players, "doors": doors});
    write_json("doors", &report);
}

/// One door with its players; panics where one of them has missed anything.
fn round(door: Door, players: usize) -> Figures {
    let role = if door == Door::Floor {
        "floor"
    } else {
        "server"
    };
    let (mut server, ready) = Child::spawn(&[role]);
    let address = ready["address"].as_str().expect("it listens").to_owned();
    let (mut load, _) = Child::spawn(&["players", door.name(), &address]);
    server.ask("start");
    load.ask(&format!("enter {players}"));
    std::thread::sleep(WARM_UP);
    load.ask("begin");
    server.ask("begin");
    std::thread::sleep(WINDOW);
    let end = server.ask("end");
    let seen = load.ask("end");
    let number = |value: &Value, key: &str| value[key].as_f64().expect("a number");
    let seconds = number(&end, "wall_nanos") / 1e9;
    // A player of whole segments has up to one more or one less of them in the window.
    let expected = number(&end, "fragments") * players as f64;
    let share = number(&seen, "fragments") / expected;
    assert!(
        (0.85..1.15).contains(&share),
        "{door}: {share} of what was published"
    );
    Figures {
        cpu: number(&end, "cpu_nanos") / 1e6 / seconds / players as f64,
        load_busy: number(&seen, "cpu_nanos") / number(&seen, "wall_nanos"),
    }
}
