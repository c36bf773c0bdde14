//! What a reader takes of the server's own memory: what a server with twice as many readers has more.

use serde_json::{Value, json};

use super::pair::Pair;
use super::plan::Plan;
use super::support::figures::{Spread, print_table};
use super::support::machine::processes::resident_bytes;

/// Runs and prints all repeats; returns everything for a machine to compare, and whether all was well.
pub fn run(machine: Value, plan: &Plan) -> (Value, bool) {
    let mut rows = vec![["N to 2 N", "KiB of a reader"].map(str::to_owned).to_vec()];
    let (mut all, mut well) = (Vec::new(), true);
    for &readers in &plan.readers {
        let mut each = Vec::new();
        for _ in 0..plan.repeats {
            let (bytes, complaint) = of_a_reader(readers, plan);
            eprintln!("  {readers} readers more: {:.0} bytes each", bytes);
            if let Some(complaint) = complaint {
                well = false;
                println!("{readers} readers, {complaint}");
            }
            each.push(bytes / 1024.0);
        }
        let spread = Spread::of(each);
        rows.push(vec![readers.to_string(), spread.text(2)]);
        all.push(json!({"readers": readers, "kib_of_a_reader": spread.json()}));
    }
    println!("\nthe server's own memory: median (min-max)");
    print_table(&rows);
    let report = json!({"machine": machine, "plan": plan.to_string(), "cases": all});
    (report, well)
}

fn of_a_reader(readers: usize, plan: &Plan) -> (f64, Option<String>) {
    let contestant = &plan.contestants(2 * readers)[0];
    let mut pair = Pair::start(contestant);
    let mut with_all = || {
        pair.connect(readers, plan);
        std::thread::sleep(plan.window);
        resident_bytes(pair.server.id()) as f64
    };
    let (before, after) = (with_all(), with_all());
    let (end, _) = pair.window(plan.warm_up);
    let outcome = pair.finish(2 * readers, &end);
    ((after - before) / readers as f64, outcome.complaint())
}
