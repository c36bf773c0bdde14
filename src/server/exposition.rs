//! Prometheus' text format, version 0.0.4. Pure.

use std::fmt::{Display, Write};

/// What a metric does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows; by convention its name ends with `_total`.
    Counter,
    Gauge,
}

/// A text that is being written.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// A metric with one value.
    pub fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A metric with a value for each value of a label. The label's values must be few.
    pub fn each<L: Display, V: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        self.head(name, kind, help);
        for (key, value) in values {
            self.sample(name, &[(label, &key.to_string())], value);
        }
    }

    pub fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        match labels.is_empty() {
            true => self.line(format_args!("{name} {value}")),
            false => self.line(format_args!("{name}{{{}}} {value}", labels.join(","))),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a text can't fail.
        let _ = writeln!(self.0, "{line}");
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_escaped_as_its_format_says() {
        let mut text = Exposition::default();
        text.one("a", Kind::Gauge, "one\\two\nthree \"four\"", 1);
        text.each(
            "b_total",
            Kind::Counter,
            "h",
            "l",
            [("x\\\"\n", 2), ("y", 3)],
        );
        assert_eq!(
            text.finish(),
            "# HELP a one\\\\two\\nthree \"four\"\n# TYPE a gauge\na 1\n\
             # HELP b_total h\n# TYPE b_total counter\n\
             b_total{l=\"x\\\\\\\"\\n\"} 2\nb_total{l=\"y\"} 3\n"
        );
    }
}
