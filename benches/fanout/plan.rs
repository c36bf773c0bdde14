//! What is measured, and how much.

use std::fmt;
use std::time::Duration;

use super::media;
use super::setup::Setup;

/// Numbers of readers, repeats and durations.
#[derive(Clone, Debug)]
pub struct Plan {
    pub question: Question,
    pub readers: Vec<usize>,
    pub repeats: usize,
    /// Between the last reader's coming and the window.
    pub warm_up: Duration,
    /// What CPU time is measured over.
    pub window: Duration,
    /// How long the server is watched from inside; this costs CPU, so it is not in the window.
    pub watch: Duration,
    /// Readers that join the running stream, one after the other.
    pub joins: usize,
    pub tls: bool,
    pub kbit: u64,
    pub cores: usize,
    /// Whether the server must do without io_uring.
    pub epoll: bool,
    /// Where the chart is drawn.
    pub chart: Option<String>,
}

/// What the rounds are to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What a reader costs, next to what the kernel takes for itself; with TLS, next to plain and to the cipher.
    Cost,
    /// What it costs when the readers are spread over so many streams.
    Streams(usize),
    /// How many readers there can be on all cores.
    Capacity,
    /// How soon a thousand who come in within seconds have a picture, and what those notice who play.
    Rush,
    /// How much memory a reader takes.
    Memory,
}

/// Who is measured in turns.
#[derive(Clone, Debug)]
pub struct Contestant {
    pub name: String,
    pub floor: bool,
    pub setup: Setup,
}

const USAGE: &str = "\
usage: fanout [--streams N | --cores 2 | --rush | --memory] [--tls] [--epoll] [--kbit KBIT] [--readers N,N,...]
              [--repeats N] [--window SECONDS] [--quick] [--chart FILE.svg]";

impl Plan {
    fn of(question: Question, tls: bool, quick: bool) -> Self {
        let readers: &[usize] = match question {
            Question::Cost if tls && quick => &[1000],
            Question::Cost if tls => &[100, 1000, 2000],
            Question::Cost if quick => &[1, 100, 1000],
            Question::Cost => &[1, 100, 1000, 2000, 4000],
            Question::Streams(_) => &[2000],
            Question::Capacity => &[
                2000, 4000, 8000, 10_000, 12_000, 14_000, 16_000, 18_000, 20_000, 24_000, 28_000,
            ],
            Question::Rush => &[100],
            Question::Memory => &[1000],
        };
        let (repeats, window) = match question {
            _ if quick => (1, 3),
            Question::Capacity => (1, 10),
            Question::Memory | Question::Rush => (3, 5),
            Question::Cost | Question::Streams(_) => (5, 5),
        };
        Self {
            question,
            readers: readers.to_vec(),
            repeats,
            warm_up: Duration::from_secs(if quick { 1 } else { 2 }),
            window: Duration::from_secs(window),
            watch: Duration::from_secs(if quick { 1 } else { 2 }),
            joins: if quick { 10 } else { 40 },
            tls,
            kbit: match question {
                Question::Capacity => 600,
                _ => media::KBIT,
            },
            cores: match question {
                Question::Capacity => 2,
                _ => 1,
            },
            epoll: false,
            chart: None,
        }
    }

    /// Reads [`USAGE`]; ends with it where there is anything else.
    pub fn read(words: &[&str]) -> Self {
        let after = |word: &str| {
            let at = words.iter().position(|&each| each == word)?;
            Some(number(words.get(at + 1).copied().unwrap_or_default()))
        };
        let is_there = |word: &str| words.contains(&word);
        let question = match (after("--streams"), after("--cores")) {
            (Some(streams), _) => Question::Streams(streams.max(1)),
            (None, Some(2..)) => Question::Capacity,
            _ if is_there("--rush") => Question::Rush,
            _ if is_there("--memory") => Question::Memory,
            _ => Question::Cost,
        };
        let mut plan = Self::of(question, is_there("--tls"), is_there("--quick"));
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || words.next().copied().unwrap_or_else(|| usage());
            match word {
                "--readers" => plan.readers = value().split(',').map(number).collect(),
                "--repeats" => plan.repeats = number(value()).max(1),
                "--window" => plan.window = Duration::from_secs(number(value()).max(1) as u64),
                "--kbit" => plan.kbit = number(value()).max(200) as u64,
                "--chart" => plan.chart = Some(value().to_owned()),
                "--epoll" => plan.epoll = true,
                "--streams" => {
                    value();
                }
                "--cores" => plan.cores = number(value()).clamp(1, 2),
                // The last is what cargo gives to every bench.
                "--tls" | "--rush" | "--memory" | "--quick" | "--bench" => {}
                _ => usage(),
            }
        }
        plan
    }

    /// What the file of figures is called.
    pub fn name(&self) -> String {
        let name = match self.question {
            Question::Cost => "fanout",
            Question::Streams(_) => "fanout-streams",
            Question::Capacity => "fanout-capacity",
            Question::Rush => "fanout-rush",
            Question::Memory => "fanout-memory",
        };
        let tls = if self.tls { "-tls" } else { "" };
        let epoll = if self.epoll { "-epoll" } else { "" };
        format!("{name}{tls}{epoll}")
    }

    /// What is served to so many readers.
    pub fn setup(&self, readers: usize) -> Setup {
        // A hundred starts a second and ten joins a second are the least that is hoped for.
        let starts = readers as u64 / 100 + self.joins as u64 / 10;
        let phases = self.warm_up + self.window + self.watch;
        Setup {
            seconds: phases.as_secs() + starts + 20,
            kbit: self.kbit,
            streams: 1,
            cores: self.cores,
            tls: self.tls,
            epoll: self.epoll,
        }
    }

    /// Who is compared: the first with each of the others.
    pub fn contestants(&self, readers: usize) -> Vec<Contestant> {
        let ours = self.setup(readers);
        let server = |name: &str, tls: bool, streams: usize| Contestant {
            name: name.to_owned(),
            floor: false,
            setup: Setup {
                tls,
                streams,
                ..ours.clone()
            },
        };
        let floor = |name: &str, tls: bool| Contestant {
            floor: true,
            ..server(name, tls, 1)
        };
        match self.question {
            Question::Streams(streams) => vec![
                server(&format!("{streams} streams"), self.tls, streams),
                server("1 stream", self.tls, 1),
            ],
            Question::Cost if self.tls => vec![
                server("TLS", true, 1),
                server("plain", false, 1),
                floor("seal and write()", true),
            ],
            Question::Cost => vec![server("server", false, 1), floor("write()", false)],
            _ => vec![server("server", self.tls, 1)],
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| usage())
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2);
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = match self.cores {
            1 => "server on core 0 and load on core 1",
            _ => "server and load share both cores",
        };
        let tls = if self.tls { "TLS 1.3, " } else { "" };
        write!(
            f,
            "stream: 720p30, {} kbit/s, a keyframe each second, AAC 128 kbit/s; {tls}{} repeats of {} s, {cores}",
            self.kbit,
            self.repeats,
            self.window.as_secs()
        )
    }
}
