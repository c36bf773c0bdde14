//! What we want to reach, and what was measured last: reads what the other benches have written.
//! `README.md` beside this directory says which is which.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/figures.rs"]
#[allow(dead_code)]
mod figures;

use std::collections::BTreeMap;

use figures::{print_table, read_json};
use serde_json::Value;

/// What is wanted of a figure.
#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// It is told, and no more.
    Any,
}

use Target::{Any, AtLeast, AtMost};

impl Target {
    /// `None` where nothing is wanted or nothing was measured.
    fn is_met(self, measured: Option<f64>) -> Option<bool> {
        match self {
            AtMost(most) => measured.map(|it| it <= most),
            AtLeast(least) => measured.map(|it| it >= least),
            Any => None,
        }
    }
}

struct Row {
    what: String,
    target: Target,
    measured: Option<f64>,
    /// It need not be met, since another that may be in its place is.
    is_spared: bool,
}

/// The files of figures, each read once.
#[derive(Default)]
struct Files(BTreeMap<&'static str, Option<Value>>);

impl Files {
    /// A figure by its JSON pointer (RFC 6901).
    fn figure(&mut self, file: &'static str, pointer: &str) -> Option<f64> {
        let read = self.0.entry(file).or_insert_with(|| read_json(file));
        read.as_ref()?.pointer(pointer)?.as_f64()
    }

    /// The same of the case with so many readers.
    fn of_case(&mut self, file: &'static str, readers: u64, pointer: &str) -> Option<f64> {
        let read = self.0.entry(file).or_insert_with(|| read_json(file));
        let cases = read.as_ref()?["cases"].as_array()?;
        let case = cases.iter().find(|case| case["readers"] == readers)?;
        // What is broken has done less than it says.
        case["complaint"].is_null().then_some(())?;
        case.pointer(pointer)?.as_f64()
    }

    /// How late a picture that was published by RTMP is at so many clients of our server, if all of them had all.
    fn by_rtmp(&mut self, clients: u64) -> Option<f64> {
        let read = self.0.entry("peers").or_insert_with(|| read_json("peers"));
        let ours = |case: &&Value| {
            let is_ours = case["server"].as_str().is_some_and(is_ours);
            is_ours && case["clients"] == clients
        };
        let case = read.as_ref()?["live"].as_array()?.iter().find(ours)?;
        let is_whole = ["refused", "closed", "lost"].iter().all(|it| case[it] == 0);
        is_whole.then_some(())?;
        case.pointer("/latency_p99_ms/median")?.as_f64()
    }
}

fn is_ours(server: &str) -> bool {
    server.starts_with("h5live")
}

fn main() {
    let mut rows = vec![["", "target", "measured", ""].map(str::to_owned).to_vec()];
    rows.extend(all(&mut Files::default()).iter().map(Row::cells));
    print_table(&rows);
}

fn all(files: &mut Files) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut push = |what: &str, target: Target, measured: Option<f64>, is_spared: bool| {
        rows.push(Row {
            what: what.to_owned(),
            target,
            measured,
            is_spared,
        });
    };
    const FIRST: &str = "/contestants/1/ratio_of_the_first_to_it/median";
    const SECOND: &str = "/contestants/2/ratio_of_the_first_to_it/median";
    const P99: &str = "/contestants/0/each_reader_p99_ms/median";
    const FLOOR_P99: &str = "/contestants/1/each_reader_p99_ms/median";
    for readers in [1000, 2000] {
        let of = |what: &str| format!("{readers} readers: {what}");
        let cost = files.of_case("fanout", readers, FIRST);
        push(
            &of("CPU, times the write() floor"),
            AtMost(1.0),
            cost,
            false,
        );
        // One of the two is enough.
        let [plain, cipher] = [(FIRST, 1.6), (SECOND, 1.15)].map(|(figure, most)| {
            let cost = files.of_case("fanout-tls", readers, figure);
            (AtMost(most), cost)
        });
        let meets = |(target, cost): (Target, Option<f64>)| target.is_met(cost) == Some(true);
        let what = of("CPU of TLS, times plain");
        push(&what, plain.0, plain.1, meets(cipher));
        let what = of("or times the cipher's floor");
        push(&what, cipher.0, cipher.1, meets(plain));
    }
    let mut row = |what: &str, target, measured| push(what, target, measured, false);
    for (readers, most) in [(100, 2.0), (2000, 20.0)] {
        let latency = files.of_case("fanout", readers, P99);
        let what = format!("{readers} readers: publication to reader, p99, ms");
        row(&what, AtMost(most), latency);
        let floor = files.of_case("fanout", readers, FLOOR_P99);
        row("  the write() floor's of the same run", Any, floor);
        let what = format!("{readers} clients: RTMP publisher to client, p99, ms");
        row(&what, AtMost(most), files.by_rtmp(readers));
    }
    for (file, name) in [("fanout-rush", "plain"), ("fanout-rush-tls", "TLS")] {
        let of = |what: &str| format!("1000 join within 5 s, {name}: {what}");
        let keyframe = files.figure(file, "/cases/0/after_answer_ms/p99");
        row(&of("verdict to keyframe, p99, ms"), AtMost(25.0), keyframe);
        let apart = files.figure(file, "/cases/0/apart_meanwhile_p99_ms/median");
        row(
            &of("fragments apart meanwhile, p99, ms"),
            AtMost(50.0),
            apart,
        );
    }
    let memory = files.figure("fanout-memory", "/cases/0/kib_of_a_reader/median");
    row("own memory of a reader, KiB", AtMost(4.0), memory);
    let memory = files.figure("fanout-memory-tls", "/cases/0/kib_of_a_reader/median");
    row("own memory of a TLS reader, KiB", AtMost(24.0), memory);
    let most = files.figure("fanout-capacity", "/most_readers");
    row(
        "readers at 600 kbit/s on two cores",
        AtLeast(10_000.0),
        most,
    );
    for (file, name) in [("storm", "storm"), ("storm-tls", "storm, TLS")] {
        for (what, figure, target) in [
            (
                "verdicts a CPU second",
                "verdicts a CPU second of the server",
                Any,
            ),
            (
                "pulls for forged tokens",
                "pulls for forged tokens",
                AtMost(0.0),
            ),
            (
                "bytes behind a refusal",
                "bytes behind a refusal",
                AtMost(0.0),
            ),
            (
                "live fragments apart, p99, ms",
                "between fragments in the storm, p99, ms",
                AtMost(50.0),
            ),
        ] {
            let figure = files.figure(file, &format!("/figures/{figure}/median"));
            row(&format!("{name}: {what}"), target, figure);
        }
    }
    let streams = files.of_case("fanout-streams", 2000, FIRST);
    row(
        "CPU of 100 streams x 20, times 1 x 2000",
        AtMost(1.3),
        streams,
    );
    let hls = files.figure("peers", "/hls/times_nginx/median");
    row("CPU of HLS, times nginx with secure_link", AtMost(1.5), hls);
    let growth = files.of_case("fanout", 4000, "/growth");
    row(
        "CPU of a reader with 4000, times with 100",
        AtMost(1.1),
        growth,
    );
    rows
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let target = match self.target {
            AtMost(most) => format!("<= {most}"),
            AtLeast(least) => format!(">= {least}"),
            Any => String::new(),
        };
        let measured = match self.measured {
            None => "not measured".to_owned(),
            Some(figure) if figure >= 100.0 => format!("{figure:.0}"),
            Some(figure) => format!("{figure:.2}"),
        };
        let met = match self.target.is_met(self.measured) {
            Some(true) => "met",
            Some(false) if !self.is_spared => "NOT MET",
            _ => "",
        };
        vec![self.what.clone(), target, measured, met.to_owned()]
    }
}
