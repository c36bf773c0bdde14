//! Figures of several repeats, as text and as JSON.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The least, the middle and the largest of some repeats.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    /// Of at least one figure.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            min: sorted[0],
            median: percentile(&sorted, 50.0),
            max: sorted[sorted.len() - 1],
        }
    }

    /// For a table: the middle first, since that is what is compared.
    pub fn text(&self, digits: usize) -> String {
        let Self { min, median, max } = self;
        format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
    }

    /// As [`Spread::json`] has written it.
    #[allow(dead_code)]
    pub fn read(value: &Value) -> Option<Self> {
        Some(Self {
            min: value["min"].as_f64()?,
            median: value["median"].as_f64()?,
            max: value["max"].as_f64()?,
        })
    }

    /// For the file.
    pub fn json(&self) -> Value {
        json!({"min": self.min, "median": self.median, "max": self.max})
    }
}

/// The smallest figure that at least `percent` of all are not above; of sorted figures, not none.
pub fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Prints rows with each column as wide as its widest cell.
pub fn print_table(rows: &[Vec<String>]) {
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:>width$}"))
            .collect();
        println!("{}", line.join("  "));
    }
}

/// `target/bench`.
fn directory() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    target.parent().unwrap_or(target).join("bench")
}

/// Reads `target/bench/NAME.json`; nothing where that was not measured.
#[allow(dead_code)]
pub fn read_json(name: &str) -> Option<Value> {
    let text = fs::read_to_string(directory().join(format!("{name}.json"))).ok()?;
    serde_json::from_str(&text).ok()
}

/// Writes `target/bench/NAME.json`.
pub fn write_json(name: &str, value: &Value) {
    let directory = directory();
    fs::create_dir_all(&directory).expect("the target directory can be written");
    let path = directory.join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(value).expect("figures are JSON");
    fs::write(&path, text + "\n").expect("the target directory can be written");
    println!("written to {}", path.display());
}
