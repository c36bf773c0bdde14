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

struct Row {
    what: String,
    target: Target,
    measured: Option<f64>,
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
}

fn main() {
    let mut rows = vec![["", "target", "measured", ""].map(str::to_owned).to_vec()];
    rows.extend(all(&mut Files::default()).iter().map(Row::cells));
    print_table(&rows);
}

fn all(files: &mut Files) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |what: &str, target: Target, measured: Option<f64>| {
        rows.push(Row {
            what: what.to_owned(),
            target,
            measured,
        });
    };
    const FIRST: &str = "/contestants/1/ratio_of_the_first_to_it/median";
    const SECOND: &str = "/contestants/2/ratio_of_the_first_to_it/median";
    const P99: &str = "/contestants/0/each_reader_p99_ms/median";
    const FLOOR_P99: &str = "/contestants/1/each_reader_p99_ms/median";
    for readers in [1000, 2000] {
        let of = |what: &str| format!("{readers} readers: {what}");
        let cost = files.of_case("fanout", readers, FIRST);
        row(&of("CPU, times the write() floor"), AtMost(1.0), cost);
        let cost = files.of_case("fanout-tls", readers, FIRST);
        row(&of("CPU of TLS, times plain"), AtMost(1.6), cost);
        let cost = files.of_case("fanout-tls", readers, SECOND);
        row(&of("or times the cipher's floor"), AtMost(1.15), cost);
    }
    for (readers, most) in [(100, 2.0), (2000, 20.0)] {
        let latency = files.of_case("fanout", readers, P99);
        let what = format!("{readers} readers: publication to reader, p99, ms");
        row(&what, AtMost(most), latency);
        let floor = files.of_case("fanout", readers, FLOOR_P99);
        row("  the write() floor's of the same run", Any, floor);
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
    let storm = |name: &str| format!("/figures/{name}/median");
    for (what, name, target) in [
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
        let figure = files.figure("storm", &storm(name));
        row(&format!("storm: {what}"), target, figure);
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
        let (target, met) = match self.target {
            AtMost(most) => (format!("<= {most}"), self.measured.map(|it| it <= most)),
            AtLeast(least) => (format!(">= {least}"), self.measured.map(|it| it >= least)),
            Any => (String::new(), None),
        };
        let measured = match self.measured {
            None => "not measured".to_owned(),
            Some(figure) if figure >= 100.0 => format!("{figure:.0}"),
            Some(figure) => format!("{figure:.2}"),
        };
        let met = met.map_or("", |met| if met { "met" } else { "NOT MET" });
        vec![self.what.clone(), target, measured, met.to_owned()]
    }
}
