//! The charts of a run: what a reader costs, and how late a fragment is, by the number of readers.

use super::case::Case;
use super::plan::Plan;
use super::support::chart::{Chart, Point, Scale, Series};

/// With fewer, a process wakes up and goes to sleep, and a reader's share of that says nothing.
const COST_FROM: usize = 100;

const MEDIAN: &str = ", p50";

/// As SVG.
pub fn draw(plan: &Plan, cases: &[Case]) -> String {
    let contestants = cases.first().map_or(&[][..], Case::contestants);
    let series = |which: usize, of: &str, points: &dyn Fn(&Case) -> Option<Point>| Series {
        name: format!("{}{of}", contestants[which].name),
        points: cases.iter().filter_map(points).collect(),
        colour: which,
        dashed: of == MEDIAN,
    };
    let cost = (0..contestants.len()).map(|which| {
        series(which, "", &|case| {
            let cpu = (case.readers >= COST_FROM).then(|| case.cpu(which))?;
            Some(Point::of(case.readers, cpu))
        })
    });
    let latency = (0..contestants.len()).flat_map(|which| {
        let of = |name: &str, figure| {
            series(which, name, &|case| {
                let spread = case.percentile(which, |round| round.each_reader, figure)?;
                Some(Point::of(case.readers, spread))
            })
        };
        [of(", p99", |of| of.p99), of(MEDIAN, |of| of.p50)]
    });
    let about = plan.to_string();
    Chart::draw(
        &about.split("; ").collect::<Vec<_>>(),
        &[
            Chart {
                title: "CPU time that a reader takes",
                x: "readers",
                y: "ms of a core, each second",
                scale: Scale::Linear,
                series: cost.collect(),
            },
            Chart {
                title: "From a fragment's publication to its last byte at a reader",
                x: "readers",
                y: "ms",
                scale: Scale::Logarithmic,
                series: latency.filter(|series| !series.points.is_empty()).collect(),
            },
        ],
    )
}
