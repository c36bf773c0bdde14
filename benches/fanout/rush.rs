//! A thousand who come in within five seconds, while others play: how soon they have a picture after their
//! verdict, and what the others notice.

use serde_json::{Value, json};

use super::pair::{Outcome, Pair};
use super::plan::Plan;
use super::report::{busy, of_samples};
use super::round::{Joined, Percentiles, number};
use super::support::figures::{Spread, print_table};

const JOINING: usize = 1000;
const WITHIN_SECONDS: u64 = 5;

struct Rush {
    joined: Joined,
    /// Milliseconds between two fragments of those who played already, before and meanwhile.
    before: Percentiles,
    meanwhile: Percentiles,
    load_busy: f64,
    outcome: Outcome,
}

/// Runs and prints all repeats; returns everything for a machine to compare, and whether all was well.
pub fn run(machine: Value, plan: &Plan) -> (Value, bool) {
    let (mut all, mut well) = (Vec::new(), true);
    for &playing in &plan.readers {
        let rushes: Vec<Rush> = (0..plan.repeats).map(|_| rush(playing, plan)).collect();
        print(playing, &rushes);
        for complaint in rushes.iter().filter_map(|rush| rush.outcome.complaint()) {
            well = false;
            println!("{playing} readers and {JOINING} more, {complaint}");
        }
        all.push(json(playing, &rushes));
    }
    let report = json!({
        "machine": machine,
        "plan": plan.to_string(),
        "joining": JOINING,
        "within_seconds": WITHIN_SECONDS,
        "cases": all,
    });
    (report, well)
}

fn rush(playing: usize, plan: &Plan) -> Rush {
    let contestant = &plan.contestants(playing + JOINING)[0];
    let mut pair = Pair::start(contestant);
    pair.connect(playing, plan);
    let apart =
        |seen: &Value| Percentiles::read(&seen["apart"]).expect("those who play are watched");
    let (_, before) = pair.window(plan.window);
    pair.load.ask("begin");
    // Those who play are all watched; of those who come, some.
    pair.load.ask("watch 20");
    let joined = pair.load.ask(&format!("rush {JOINING} {WITHIN_SECONDS}"));
    let meanwhile = pair.load.ask("end");
    // From here on all of them must have the same.
    let (end, _) = pair.window(plan.warm_up);
    let joined = Joined::read(&joined);
    eprintln!("  {}", line(&joined));
    Rush {
        before: apart(&before),
        meanwhile: apart(&meanwhile),
        load_busy: number(&meanwhile["cpu_nanos"]) / number(&meanwhile["wall_nanos"]),
        outcome: pair.finish(playing + JOINING, &end),
        joined,
    }
}

fn line(joined: &Joined) -> String {
    format!(
        "connect() to verdict {} ms, verdict to keyframe {} ms, {} failed",
        of_samples(&sorted(joined.answered.iter())),
        of_samples(&sorted(joined.after_answer.iter())),
        joined.failed
    )
}

fn sorted<'a>(figures: impl Iterator<Item = &'a f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = figures.copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn of_joined(rushes: &[Rush], of: fn(&Joined) -> &Vec<f64>) -> Vec<f64> {
    sorted(rushes.iter().flat_map(|rush| of(&rush.joined)))
}

fn spread(rushes: &[Rush], figure: fn(&Rush) -> f64) -> Spread {
    Spread::of(rushes.iter().map(figure))
}

fn print(playing: usize, rushes: &[Rush]) {
    println!("\n{JOINING} join {playing} who play, within {WITHIN_SECONDS} s");
    let rows = [
        ["ms", "p50 / p99"].map(str::to_owned),
        [
            "connect() to verdict".into(),
            of_samples(&of_joined(rushes, |it| &it.answered)),
        ],
        [
            "verdict to keyframe's first byte".into(),
            of_samples(&of_joined(rushes, |it| &it.after_answer)),
        ],
        [
            "between two fragments of a player before, p99".into(),
            spread(rushes, |rush| rush.before.p99).text(1),
        ],
        [
            "meanwhile, p99".into(),
            spread(rushes, |rush| rush.meanwhile.p99).text(1),
        ],
        [
            "meanwhile, at most".into(),
            spread(rushes, |rush| rush.meanwhile.max).text(1),
        ],
        [
            "load busy".into(),
            busy(spread(rushes, |rush| rush.load_busy)),
        ],
    ];
    print_table(&rows.map(|row| row.to_vec()));
}

fn json(playing: usize, rushes: &[Rush]) -> Value {
    let percentile = |of: fn(&Joined) -> &Vec<f64>| {
        let sorted = of_joined(rushes, of);
        let at = |percent| super::support::figures::percentile(&sorted, percent);
        (!sorted.is_empty()).then(|| json!({"p50": at(50.0), "p99": at(99.0), "max": at(100.0)}))
    };
    let each = rushes.iter().map(|rush| {
        json!({
            "joined_ms": rush.joined.json(),
            "apart_before_ms": rush.before.json(),
            "apart_meanwhile_ms": rush.meanwhile.json(),
            "complaint": rush.outcome.complaint(),
        })
    });
    json!({
        "playing": playing,
        "answered_ms": percentile(|it| &it.answered),
        "after_answer_ms": percentile(|it| &it.after_answer),
        "apart_before_p99_ms": spread(rushes, |rush| rush.before.p99).json(),
        "apart_meanwhile_p99_ms": spread(rushes, |rush| rush.meanwhile.p99).json(),
        "apart_meanwhile_max_ms": spread(rushes, |rush| rush.meanwhile.max).json(),
        "load_busy": spread(rushes, |rush| rush.load_busy).json(),
        "rushes": each.collect::<Vec<_>>(),
    })
}
