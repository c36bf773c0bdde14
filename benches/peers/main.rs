//! The same stream through whole servers, ours and others, to many clients.
//! `README.md` beside this directory says what is measured and how to read it.
//!
//! ```text
//! publisher ─RTMP─▶ (nginx-rtmp ─RTMP─▶) server ─▶ N clients
//!        core 1            core 1        core 0      core 1
//! ```
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/chart.rs"]
mod chart;
#[path = "../support/drain.rs"]
mod drain;
mod drawing;
#[path = "../support/figures.rs"]
mod figures;
mod hls;
#[path = "../doors/http.rs"]
#[allow(dead_code)]
mod http;
mod load;
#[path = "../support/machine.rs"]
mod machine;
mod process;
mod publisher;
mod servers;
mod stamp;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use figures::{Spread, print_table, write_json};
use load::{Load, Seen};
use publisher::{Clip, Publisher};
use serde_json::{Value, json};
use servers::{Peer, Running};

/// A core above this may be what clients wait for.
const SATURATED: f64 = 0.9;

struct Plan {
    clients: Vec<usize>,
    players: usize,
    peers: Vec<Peer>,
    repeats: usize,
    times: [Duration; 2],
    /// Where the chart is drawn.
    chart: Option<String>,
}

impl Plan {
    fn read(words: &[&str]) -> Self {
        let mut plan = Self {
            clients: vec![100, 500, 1000, 2000],
            players: 1000,
            peers: vec![Peer::Ours, Peer::NodeWebSocket, Peer::NodeHttp],
            repeats: 1,
            times: [5, 12].map(Duration::from_secs),
            chart: None,
        };
        let mut alone = false;
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| usage());
            match word {
                "--clients" => plan.clients = value().split(',').map(number).collect(),
                "--players" => plan.players = number(value()),
                "--repeats" => plan.repeats = number(value()).max(1),
                "--window" => plan.times[1] = Duration::from_secs(number(value()).max(1) as u64),
                "--chart" => plan.chart = Some(value().to_owned()),
                "--alone" => alone = true,
                "--with" if value() == "xiu" => plan.peers.push(Peer::Xiu),
                "--bench" => {}
                _ => usage(),
            }
        }
        if alone {
            plan.peers = vec![Peer::Ours];
        }
        plan
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| usage())
}

fn usage() -> ! {
    eprintln!(
        "usage: peers [--clients N,N,...] [--players N] [--repeats N] [--window SECONDS] [--with xiu]\n\
         \x20            [--alone] [--chart FILE.svg]\n\
         --alone measures the live stream of h5live-server only, and of no peer\n\
         --clients 0 or --players 0 leaves the one or the other part out"
    );
    std::process::exit(2);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let plan = Plan::read(&words);
    machine::processes::allow_files();
    let described = machine::describe();
    machine::pin(machine::processes::MEASURING_CORE);
    machine::print(&described);
    let about = format!(
        "720p30, 2.5 Mbit/s, a keyframe each second, AAC 128 kbit/s; {} repeats of {} s, the server on \
         core 0, everything else on core 1",
        plan.repeats,
        plan.times[1].as_secs()
    );
    println!("{about}");
    let clip = Arc::new(Clip::make());
    let live = live(&plan, &clip);
    if let Some(file) = &plan.chart {
        std::fs::write(file, drawing::draw(&about, &live)).expect("the chart can be written");
        println!("drawn to {file}");
    }
    let files = match plan.players {
        0 => Value::Null,
        _ => files(&plan, &clip),
    };
    let ours = live
        .iter()
        .filter(|case| case["server"] == Peer::Ours.name());
    let troubled = ours.filter(|case| {
        ["refused", "closed", "lost"]
            .iter()
            .any(|what| case[what] != 0)
    });
    let troubled = troubled.count();
    let report = json!({"machine": described, "live": live, "hls": files});
    write_json("peers", &report);
    assert_eq!(troubled, 0, "our own clients did not have all");
}

fn live(plan: &Plan, clip: &Arc<Clip>) -> Vec<Value> {
    let head = [
        "server",
        "N",
        "CPU ms a client and second",
        "x ours",
        "latency ms p50 / p99",
        "refused, closed, lost",
        "KiB a client",
        "Mbit/s",
        "load, core 1 busy",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut report = Vec::new();
    for &clients in plan.clients.iter().filter(|&&clients| clients > 0) {
        let mut ours = None;
        for &peer in &plan.peers {
            let rounds: Vec<Seen> = (0..plan.repeats)
                .map(|_| round(peer, clients, plan, clip))
                .collect();
            let spread = |figure: fn(&Seen) -> f64| Spread::of(rounds.iter().map(figure));
            let each = |seen: &Seen| seen.playing.max(1) as f64;
            let cpu =
                |seen: &Seen| seen.cpu_nanos as f64 / 1e6 / each(seen) / seen.wall.as_secs_f64();
            let cpu = Spread::of(rounds.iter().map(cpu));
            let ours = *ours.get_or_insert(cpu.median);
            let [p50, p99] = [spread(|seen| seen.p50), spread(|seen| seen.p99)];
            let memory = Spread::of(rounds.iter().map(|seen| seen.kib as f64 / each(seen)));
            let busy = [spread(|seen| seen.own_busy), spread(|seen| seen.core_busy)];
            let worst = |count: fn(&Seen) -> usize| rounds.iter().map(count).max();
            let trouble = [
                worst(|seen| seen.refused),
                worst(|seen| seen.closed),
                worst(|seen| seen.lost),
            ];
            let trouble = trouble.map(Option::unwrap_or_default);
            rows.push(vec![
                peer.name().into(),
                clients.to_string(),
                cpu.text(3),
                format!("{:.2}", cpu.median / ours),
                format!("{:.1} / {:.1}", p50.median, p99.median),
                trouble.map(|count| count.to_string()).join(", "),
                memory.text(0),
                spread(|seen| seen.megabits).text(0),
                share(busy),
            ]);
            eprintln!("  {}", rows[rows.len() - 1].join("  "));
            report.push(json!({
                "server": peer.name(), "clients": clients,
                "cpu_ms_per_client_second": cpu.json(), "times_ours": cpu.median / ours,
                "latency_p50_ms": p50.json(), "latency_p99_ms": p99.json(),
                "refused": trouble[0], "closed": trouble[1], "lost": trouble[2],
                "kib_per_client": memory.json(),
                "megabits": spread(|seen| seen.megabits).json(),
                "load_busy": busy[0].json(), "core_busy": busy[1].json(),
            }));
        }
    }
    if !report.is_empty() {
        print_table(&rows);
    }
    report
}

fn share([own, core]: [Spread; 2]) -> String {
    let saturated = own.max.max(core.max) > SATURATED;
    let note = if saturated { " SATURATED" } else { "" };
    let percent = |busy: Spread| busy.median * 100.0;
    format!("{:.0} %, {:.0} %{note}", percent(own), percent(core))
}

fn round(peer: Peer, clients: usize, plan: &Plan, clip: &Arc<Clip>) -> Seen {
    let running = Running::start(peer);
    let publisher = Publisher::start(running.rtmp, &running.key, Arc::clone(clip));
    let process = running.process;
    let before = process::memory_kib(process);
    let requests = running.requests(clients);
    let load = Load::new(peer.is_websocket());
    let seen = load.run(running.address, &requests, plan.times, || {
        let more = process::memory_kib(process).saturating_sub(before);
        [process::cpu_nanos(process), more, publisher.bytes()]
    });
    drop(publisher);
    seen
}

fn files(plan: &Plan, clip: &Arc<Clip>) -> Value {
    let head = [
        "HLS",
        "N",
        "CPU ms a player and second",
        "x nginx",
        "Mbit/s",
        "cut off",
        "load, core 1 busy",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut report = Vec::new();
    let mut rounds: [Vec<hls::Served>; 2] = Default::default();
    for _ in 0..plan.repeats {
        rounds[0].push(hls::nginx(plan.players, clip, plan.times));
        rounds[1].push(hls::ours(plan.players, clip, plan.times));
    }
    let cpus = [0, 1].map(|index| Spread::of(rounds[index].iter().map(|served| served.cpu_ms)));
    let ratio = rounds[1].iter().zip(&rounds[0]);
    let ratio = Spread::of(ratio.map(|(ours, nginx)| ours.cpu_ms / nginx.cpu_ms));
    let names = ["nginx, files, secure_link", "h5live, HLS door"];
    for ((name, rounds), cpu) in names.into_iter().zip(&rounds).zip(&cpus) {
        let spread = |figure: fn(&hls::Served) -> f64| Spread::of(rounds.iter().map(figure));
        let busy = [
            spread(|served| served.own_busy),
            spread(|served| served.core_busy),
        ];
        let ended = rounds.iter().map(|served| served.ended).max();
        let is_ours = name == names[1];
        rows.push(vec![
            name.into(),
            plan.players.to_string(),
            cpu.text(3),
            if is_ours { ratio.text(2) } else { "1".into() },
            spread(|served| served.megabits).text(0),
            ended.unwrap_or_default().to_string(),
            share(busy),
        ]);
        report.push(json!({
            "server": name, "players": plan.players, "cpu_ms_per_player_second": cpu.json(),
            "megabits": spread(|served| served.megabits).json(), "cut_off": ended,
            "load_busy": busy[0].json(), "core_busy": busy[1].json(),
        }));
    }
    print_table(&rows);
    json!({"servers": report, "times_nginx": ratio.json()})
}
