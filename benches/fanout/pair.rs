//! A child that serves and a child that is its readers.

use std::time::Duration;

use serde_json::Value;

use super::child::Child;
use super::plan::{Contestant, Plan};

/// Of more readers than this, one of [`WATCH_EVERY`] is watched and the others are drained: else what is measured of a
/// keyframe is how long one thread takes to copy it for each of them.
const ALL_WATCHED: usize = 20;
const WATCH_EVERY: u64 = 10;

/// How long the last bytes may take to arrive, and how often it is looked whether they have.
const SETTLE: Duration = Duration::from_millis(500);
const LOOKS: usize = 10;

pub struct Pair {
    pub server: Child,
    pub load: Child,
}

/// Whether everybody had everything.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Readers that were to be in, and that were.
    pub wanted: usize,
    pub readers: usize,
    /// How often the server let one go on at a later keyframe during the window.
    pub skips: u64,
    /// How many the server closed because they took nothing, and how many were closed in all.
    pub stalled: u64,
    pub closed: u64,
    /// Readers that have not had what the others had at the end.
    pub behind: u64,
    /// Fragments that those who were watched have not had.
    pub gaps: u64,
    /// Readers that began elsewhere than at a keyframe.
    pub started_elsewhere: u64,
    /// Of the one that was looked at closely.
    pub pictures: Option<u64>,
    pub wrong: Option<String>,
}

impl Pair {
    /// Starts both, with a running stream and no readers.
    pub fn start(contestant: &Contestant) -> Self {
        let setup = contestant.setup.text();
        let (role, entrance) = match contestant.floor {
            true => ("floor", "floor"),
            false => ("server", "door"),
        };
        let (mut server, ready) = Child::spawn(&[role, &setup]);
        let (load, _) = Child::spawn(&["load", &setup, entrance, &ready.to_string()]);
        server.ask("start");
        Self { server, load }
    }

    /// Lets so many readers in, and waits a while.
    pub fn connect(&mut self, readers: usize, plan: &Plan) {
        let every = match readers {
            ..=ALL_WATCHED => 1,
            _ => WATCH_EVERY,
        };
        self.load.ask(&format!("watch {every}"));
        self.load.ask(&format!("connect {readers}"));
        std::thread::sleep(plan.warm_up);
    }

    /// A window: what the server says of it, and what the readers say.
    pub fn window(&mut self, length: Duration) -> (Value, Value) {
        self.load.ask("begin");
        self.server.ask("begin");
        std::thread::sleep(length);
        (self.server.ask("end"), self.load.ask("end"))
    }

    /// Ends the stream and sees what everybody has got. `end`: of the last window, from the server.
    pub fn finish(&mut self, wanted: usize, end: &Value) -> Outcome {
        self.server.ask("stop");
        for _ in 0..LOOKS {
            std::thread::sleep(SETTLE);
            if self.load.ask("behind") == 0 {
                break;
            }
        }
        let finish = self.load.ask("finish");
        let count = |value: &Value, key: &str| value[key].as_u64().unwrap_or_default();
        let specimen = &finish["specimen"];
        Outcome {
            wanted,
            readers: count(end, "readers") as usize,
            skips: count(end, "skips"),
            stalled: count(end, "stalled"),
            closed: count(&finish, "closed"),
            behind: count(&finish, "behind"),
            gaps: count(&finish, "gaps"),
            started_elsewhere: count(&finish, "started_elsewhere"),
            pictures: specimen["pictures"].as_u64(),
            wrong: specimen["wrong"].as_str().map(str::to_owned),
        }
    }
}

impl Outcome {
    /// What is wrong, in words; nothing where everybody had everything.
    pub fn complaint(&self) -> Option<String> {
        let missing = self.wanted.saturating_sub(self.readers) as u64;
        let counts = [
            (missing, "readers are not in"),
            (self.skips, "skips to a later keyframe"),
            (self.stalled, "closed because they took nothing"),
            (self.closed, "closed"),
            (self.behind, "without what the others had"),
            (self.gaps, "gaps at those who were watched"),
            (self.started_elsewhere, "begun elsewhere than at a keyframe"),
        ];
        let told = counts.iter().filter(|(count, _)| *count > 0);
        let told = told.map(|(count, what)| format!("{count} {what}"));
        let told: Vec<String> = told.chain(self.wrong.clone()).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}
