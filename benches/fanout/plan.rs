//! How much is measured.

use std::fmt;
use std::time::Duration;

/// Numbers of readers, repeats and durations.
#[derive(Clone, Debug)]
pub struct Plan {
    pub readers: Vec<usize>,
    pub repeats: usize,
    /// Between the last reader's coming and the window.
    pub warm_up: Duration,
    /// What CPU time is measured over.
    pub window: Duration,
    /// How long the server is watched from inside; this costs CPU, so it is not in the window.
    pub watch: Duration,
    /// Whether the server must do without io_uring.
    pub epoll: bool,
    /// Readers that join the running stream, one after the other.
    pub joins: usize,
}

impl Plan {
    fn full() -> Self {
        Self {
            readers: vec![1, 100, 500, 1000],
            repeats: 3,
            warm_up: Duration::from_secs(2),
            window: Duration::from_secs(10),
            watch: Duration::from_secs(4),
            epoll: false,
            joins: 40,
        }
    }

    fn quick() -> Self {
        Self {
            readers: vec![1, 100, 1000],
            repeats: 1,
            warm_up: Duration::from_secs(1),
            window: Duration::from_secs(8),
            watch: Duration::from_secs(2),
            epoll: false,
            joins: 10,
        }
    }

    /// Reads `--quick`, `--readers 1,100`, `--repeats 3`, `--window SECONDS`, `--epoll`; ends with a usage text
    /// where there is anything else.
    pub fn read(words: &[&str]) -> Self {
        let quick = words.contains(&"--quick");
        let mut plan = if quick { Self::quick() } else { Self::full() };
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || words.next().copied().unwrap_or_else(|| usage());
            match word {
                "--readers" => plan.readers = value().split(',').map(number).collect(),
                "--repeats" => plan.repeats = number(value()).max(1),
                "--window" => plan.window = Duration::from_secs(number(value()).max(1) as u64),
                "--epoll" => plan.epoll = true,
                // The last is what cargo gives to every bench.
                "--quick" | "--bench" => {}
                _ => usage(),
            }
        }
        plan
    }

    /// How long the stream of a round must be, at the least.
    pub fn stream_seconds(&self, readers: usize) -> u64 {
        // Two hundred starts a second and ten joins a second are the least that is hoped for.
        let starts = readers as u64 / 200 + self.joins as u64 / 10;
        let phases = self.warm_up + self.window + self.watch;
        phases.as_secs() + starts + 15
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| usage())
}

fn usage() -> ! {
    eprintln!(
        "usage: fanout [--quick] [--readers N,N,...] [--repeats N] [--window SECONDS] [--epoll]"
    );
    std::process::exit(2);
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stream: 720p30, 2.5 Mbit/s, a keyframe each second, AAC 128 kbit/s; \
             {} repeats of {} s, server on core 0 and load on core 1",
            self.repeats,
            self.window.as_secs()
        )
    }
}
