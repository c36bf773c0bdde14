//! Line charts as SVG, one below the other, that are read on light and on dark pages alike.

use std::fmt::Write;

use super::figures::Spread;

/// One chart. Its x axis is logarithmic, because numbers of clients are.
pub struct Chart<'a> {
    pub title: &'a str,
    /// What the axes show, with their units.
    pub x: &'a str,
    pub y: &'a str,
    pub scale: Scale,
    pub series: Vec<Series>,
}

/// Of the y axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From zero.
    Linear,
    /// From the least value.
    Logarithmic,
}

pub struct Series {
    pub name: String,
    pub points: Vec<Point>,
    /// What belongs together has the same.
    pub colour: usize,
    pub dashed: bool,
}

/// A figure with how far its repeats lie apart.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub x: f64,
    pub y: Spread,
}

const WIDTH: f64 = 790.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 220.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;
/// Above all charts, for lines that say what they are about.
const CAPTION: f64 = 20.0;
const CAPTION_LINE: f64 = 18.0;

/// Each for light and for dark.
const COLOURS: [(&str, &str); 8] = [
    ("#1f5fc4", "#7db3ff"),
    ("#b3480b", "#ff9d5c"),
    ("#2a7a3b", "#6fd487"),
    ("#8a2a8f", "#e08ae6"),
    ("#806000", "#e3bd3c"),
    ("#0f7a80", "#5ed3da"),
    ("#a01f3a", "#ff8099"),
    ("#555555", "#bbbbbb"),
];

impl Point {
    pub fn of(x: usize, y: Spread) -> Self {
        Self { x: x as f64, y }
    }
}

/// Where values lie on one of the axes: the least, the most, and where these two are drawn.
struct Axis {
    logarithmic: bool,
    values: (f64, f64),
    places: (f64, f64),
    ticks: Vec<f64>,
}

impl Axis {
    fn x(charted: impl Iterator<Item = f64>) -> Self {
        let mut ticks: Vec<f64> = charted.collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        let values = (
            ticks.first().copied().unwrap_or(1.0),
            ticks.last().copied().unwrap_or(1.0),
        );
        Self {
            logarithmic: true,
            values,
            places: (LEFT, WIDTH - RIGHT),
            ticks,
        }
    }

    fn y(scale: Scale, charted: impl Iterator<Item = f64> + Clone) -> Self {
        let most = charted.clone().fold(f64::MIN_POSITIVE, f64::max);
        let least = charted.fold(most, f64::min);
        let places = (HEIGHT - BOTTOM, TOP);
        let logarithmic = scale == Scale::Logarithmic;
        let ticks = match scale {
            Scale::Linear => {
                let step = nice(most / 5.0);
                let count = (most / step).ceil() as u32;
                (0..=count).map(|tick| f64::from(tick) * step).collect()
            }
            Scale::Logarithmic => {
                let mut ticks = vec![below(least)];
                while let Some(&last) = ticks.last().filter(|&&last| last < most) {
                    ticks.push(nice(last * 1.01));
                }
                ticks
            }
        };
        Self {
            logarithmic,
            values: (ticks[0], ticks[ticks.len() - 1]),
            places,
            ticks,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let of = |value: f64| if self.logarithmic { value.ln() } else { value };
        let (from, to) = (of(self.values.0), of(self.values.1));
        let share = if to > from {
            (of(value) - from) / (to - from)
        } else {
            0.5
        };
        self.places.0 + share * (self.places.1 - self.places.0)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below a value.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|&step| step >= value)
        .unwrap_or(value)
}

/// The largest of them that is not above it.
fn below(value: f64) -> f64 {
    1.0 / nice(1.0 / value)
}

impl Chart<'_> {
    /// Draws charts below a caption.
    pub fn draw(caption: &[&str], charts: &[Chart<'_>]) -> String {
        let mut svg = String::new();
        let above = CAPTION + CAPTION_LINE * caption.len() as f64;
        let height = above + HEIGHT * charts.len() as f64;
        // Writing into a text does not fail.
        let _ = writeln!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">"#
        );
        let titles: Vec<&str> = charts.iter().map(|chart| chart.title).collect();
        let _ = writeln!(svg, "<title>{}</title>", escaped(&titles.join("; ")));
        style(&mut svg);
        let _ = writeln!(
            svg,
            r#"<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>"#
        );
        for (number, words) in caption.iter().enumerate() {
            let down = CAPTION + CAPTION_LINE * number as f64;
            text(&mut svg, "small", "start", 20.0, down, words);
        }
        for (number, chart) in charts.iter().enumerate() {
            let down = above + HEIGHT * number as f64;
            let _ = writeln!(svg, r#"<g transform="translate(0 {down})">"#);
            chart.panel(&mut svg);
            svg.push_str("</g>\n");
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn panel(&self, svg: &mut String) {
        let points = self.series.iter().flat_map(|series| &series.points);
        let x = Axis::x(points.clone().map(|point| point.x));
        let y = Axis::y(
            self.scale,
            points.flat_map(|point| [point.y.min, point.y.median, point.y.max]),
        );
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        text(svg, "title", "start", LEFT, TOP - 22.0, self.title);
        for &tick in &y.ticks {
            let at = y.place(tick);
            line(svg, "grid", [LEFT, at, right, at]);
            text(svg, "small", "end", LEFT - 8.0, at + 4.0, &short(tick));
        }
        for &tick in &x.ticks {
            let at = x.place(tick);
            line(svg, "axis", [at, bottom, at, bottom + 5.0]);
            text(svg, "small", "middle", at, bottom + 20.0, &short(tick));
        }
        line(svg, "axis", [LEFT, bottom, right, bottom]);
        text(
            svg,
            "small",
            "middle",
            (LEFT + right) / 2.0,
            bottom + 40.0,
            self.x,
        );
        let middle = (TOP + bottom) / 2.0;
        let _ = writeln!(svg, r#"<g transform="translate(24 {middle}) rotate(-90)">"#);
        text(svg, "small", "middle", 0.0, 0.0, self.y);
        svg.push_str("</g>\n");
        for (number, series) in self.series.iter().enumerate() {
            let class = format!("s{}", series.colour % COLOURS.len());
            series.draw(svg, &class, &x, &y);
            let at = TOP + 8.0 + 20.0 * number as f64;
            let dashed = if series.dashed { " dashed" } else { "" };
            line(
                svg,
                &format!("{class}{dashed}"),
                [right + 14.0, at, right + 38.0, at],
            );
            text(svg, "small", "start", right + 44.0, at + 4.0, &series.name);
        }
    }
}

impl Series {
    fn draw(&self, svg: &mut String, class: &str, x: &Axis, y: &Axis) {
        let place = |point: &Point| (x.place(point.x), y.place(point.y.median));
        let corners: Vec<String> = self
            .points
            .iter()
            .map(place)
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let dashed = if self.dashed { " dashed" } else { "" };
        let _ = writeln!(
            svg,
            r#"<polyline class="{class}{dashed}" points="{}"/>"#,
            corners.join(" ")
        );
        for point in &self.points {
            let (across, down) = place(point);
            let (least, most) = (y.place(point.y.min), y.place(point.y.max));
            line(
                svg,
                &format!("{class} spread"),
                [across, least, across, most],
            );
            let _ = writeln!(
                svg,
                r#"<circle class="{class} dot" cx="{across:.1}" cy="{down:.1}" r="3.5"/>"#
            );
        }
    }
}

fn style(svg: &mut String) {
    let colours = |dark: bool| {
        let each = COLOURS
            .iter()
            .enumerate()
            .map(|(number, (light, on_dark))| {
                let colour = if dark { on_dark } else { light };
                format!(".s{number}{{stroke:{colour};fill:{colour}}}")
            });
        each.collect::<String>()
    };
    let page = |page: &str, ink: &str, grid: &str| {
        format!(".page{{fill:{page}}}text{{fill:{ink}}}.axis{{stroke:{ink}}}.grid{{stroke:{grid}}}")
    };
    let _ = writeln!(
        svg,
        "<style>\ntext{{font-family:system-ui,sans-serif}}.small{{font-size:12px}}\
         .title{{font-size:15px;font-weight:600}}\n{}{}\n\
         @media (prefers-color-scheme:dark){{{}{}}}\n\
         polyline{{fill:none;stroke-width:2}}polyline[class]{{fill:none}}line{{stroke-width:2}}\
         .grid,.axis{{stroke-width:1}}.dashed{{stroke-dasharray:6 4}}.spread{{stroke-width:1.2;opacity:.7}}\n</style>",
        page("#ffffff", "#1c1f24", "#e1e4e8"),
        colours(false),
        page("#14171c", "#e4e7eb", "#343a42"),
        colours(true),
    );
}

fn line(svg: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    let _ = writeln!(
        svg,
        r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
    );
}

fn text(svg: &mut String, class: &str, anchor: &str, x: f64, y: f64, words: &str) {
    let _ = writeln!(
        svg,
        r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{}</text>"#,
        escaped(words)
    );
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;")
}

/// Without the digits that rounding leaves behind.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
