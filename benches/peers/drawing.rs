//! The charts of a run: what a client costs each server, and how late a picture is, by the number of clients.

use serde_json::Value;

use super::chart::{Chart, Point, Scale, Series};
use super::figures::Spread;

/// As SVG; `live`: a report for each server and number of clients. A server that refused, closed or lost clients
/// did less work than the others, and is left out there.
pub fn draw(about: &str, live: &[Value]) -> String {
    let mut servers: Vec<&str> = Vec::new();
    for name in live.iter().filter_map(|report| report["server"].as_str()) {
        if !servers.contains(&name) {
            servers.push(name);
        }
    }
    let series = |figure: &str| {
        let each = servers.iter().enumerate().map(|(colour, name)| Series {
            name: short(name),
            points: live
                .iter()
                .filter(|report| report["server"] == *name && is_whole(report))
                .filter_map(|report| {
                    let clients = report["clients"].as_u64()? as usize;
                    Some(Point::of(clients, Spread::read(&report[figure])?))
                })
                .collect(),
            colour,
            dashed: false,
        });
        each.filter(|series| !series.points.is_empty()).collect()
    };
    let mut caption: Vec<&str> = about.split("; ").collect();
    caption.push("who refused, closed or lost clients is left out");
    Chart::draw(
        &caption,
        &[
            Chart {
                title: "CPU time that a client takes",
                x: "clients",
                y: "ms of a core, each second",
                scale: Scale::Linear,
                series: series("cpu_ms_per_client_second"),
            },
            Chart {
                title: "From the publisher's socket to a client's, 99th percentile",
                x: "clients",
                y: "ms",
                scale: Scale::Logarithmic,
                series: series("latency_p99_ms"),
            },
        ],
    )
}

/// As much as a legend has room for: the server, and how clients ask it.
fn short(name: &str) -> String {
    let mut words = name.split(", ");
    let server = words.next().unwrap_or_default();
    let way = match words.next() {
        Some("WebSocket") => "WS",
        way => way.unwrap_or_default(),
    };
    format!("{server}, {way}")
}

fn is_whole(report: &Value) -> bool {
    ["refused", "closed", "lost"]
        .iter()
        .all(|what| report[what] == 0)
}
