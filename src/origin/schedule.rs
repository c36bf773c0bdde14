//! When which source is pulled. Pure: time and randomness are passed in.
//!
//! ```text
//! wanted ─▶ due ─▶ pulled ──ended──▶ resting (0.5 s to 10 s, longer with each failure) ─▶ due …
//! not wanted while pulled ─▶ lingers ─▶ stopped
//! not wanted while resting ─▶ kept until rested, so that asking again does not dial again at once
//! ```

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How sources are pulled.
#[derive(Clone, Debug)]
pub struct Pace {
    /// How many pulls there are at most at once, those that are being stopped included.
    pub pulls: usize,
    /// How long a pull goes on after its last viewer has left.
    pub linger: Duration,
    /// The rest after a first failure. It doubles with each further one.
    pub shortest_rest: Duration,
    /// The longest rest.
    pub longest_rest: Duration,
    /// How many sources without viewers are remembered for having failed.
    pub remembered: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pulls: 64,
            linger: Duration::from_secs(10),
            shortest_rest: Duration::from_millis(500),
            longest_rest: Duration::from_secs(10),
            remembered: 4096,
        }
    }
}

/// Names one pull among all that ever were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PullId(u64);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<S> {
    /// Begin to pull.
    Start(PullId, S),
    /// Stop that pull; nothing that it still says counts.
    Stop(PullId),
}

/// How a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for a place.
    Waiting,
    /// It has failed so often in a row, and is pulled again after this time.
    Resting {
        /// From 1.
        failures: u32,
        /// Until it is due.
        left: Duration,
    },
    /// It is pulled.
    Pulled,
    /// It is pulled, and nobody wants it any more.
    Lingering,
}

/// All sources that are wanted, pulled or remembered.
pub struct Schedule<S> {
    pace: Pace,
    sources: HashMap<S, Entry>,
    /// Pulls that have a place: running, or on their way out.
    places: usize,
    next: u64,
}

struct Entry {
    wanted: bool,
    failures: u32,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// May be pulled from then on.
    Due(Instant),
    Pulled {
        id: PullId,
        /// Unwanted: when it is to be stopped.
        until: Option<Instant>,
    },
}

impl<S: Clone + Eq + Hash + Ord> Schedule<S> {
    /// Nothing is wanted yet.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            sources: HashMap::new(),
            places: 0,
            next: 0,
        }
    }

    /// Viewers came (true) or the last one left (false). Saying the same twice does no harm.
    pub fn want(&mut self, source: &S, wanted: bool, now: Instant) {
        if wanted {
            let entry = self.sources.entry(source.clone()).or_insert(Entry {
                wanted,
                failures: 0,
                state: State::Due(now),
            });
            entry.wanted = true;
            if let State::Pulled { until, .. } = &mut entry.state {
                *until = None;
            }
        } else if let Some(entry) = self.sources.get_mut(source) {
            let was_wanted = std::mem::replace(&mut entry.wanted, false);
            match &mut entry.state {
                State::Pulled { until, .. } if was_wanted => *until = Some(now + self.pace.linger),
                State::Due(due) if *due <= now => {
                    self.sources.remove(source);
                }
                _ => {}
            }
            self.forget(now);
        }
    }

    /// A pull came to its end by itself; `played` tells whether media had come. `random` lies
    /// between 0 and 1 and spreads the next attempts of many.
    pub fn ended(&mut self, id: PullId, played: bool, random: f64, now: Instant) {
        let pulled =
            |entry: &Entry| matches!(entry.state, State::Pulled { id: own, .. } if own == id);
        let Some(entry) = self.sources.values_mut().find(|entry| pulled(entry)) else {
            return;
        };
        entry.failures = if played {
            1
        } else {
            entry.failures.saturating_add(1)
        };
        entry.state = State::Due(now + rest(&self.pace, entry.failures, random));
        self.forget(now);
    }

    /// A pull has left its place.
    pub fn gone(&mut self) {
        self.places = self.places.saturating_sub(1);
    }

    /// What is to be done now.
    pub fn due(&mut self, now: Instant) -> Vec<Action<S>> {
        let mut actions = Vec::new();
        self.sources.retain(|_, entry| match entry.state {
            State::Pulled {
                id,
                until: Some(until),
            } if until <= now => {
                actions.push(Action::Stop(id));
                false
            }
            State::Due(due) => entry.wanted || due > now,
            State::Pulled { .. } => true,
        });
        let free = self.pace.pulls.saturating_sub(self.places);
        let mut waiting: Vec<(u32, Instant, S)> = match free {
            0 => Vec::new(),
            _ => self.waiting(now).collect(),
        };
        // Those that have failed least come first: a storm of names that do not exist must not keep
        // a good one waiting for long.
        waiting.sort();
        for (_, _, source) in waiting.into_iter().take(free) {
            let id = PullId(self.next);
            self.next += 1;
            self.places += 1;
            if let Some(entry) = self.sources.get_mut(&source) {
                entry.state = State::Pulled { id, until: None };
            }
            actions.push(Action::Start(id, source));
        }
        actions
    }

    /// When [`Schedule::due`] has something to do next, if nothing happens before. A wanted source
    /// that waits for a place is due when one becomes free.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let times = self.sources.values().filter_map(|entry| match entry.state {
            State::Due(due) => (due > now || !entry.wanted).then_some(due),
            State::Pulled { until, .. } => until,
        });
        times.min()
    }

    /// How a source stands; `None` where nobody wants it and nothing is remembered of it.
    pub fn standing(&self, source: &S, now: Instant) -> Option<Standing> {
        let entry = self.sources.get(source)?;
        Some(match entry.state {
            State::Due(due) if due > now => Standing::Resting {
                failures: entry.failures,
                left: due - now,
            },
            State::Due(_) => Standing::Waiting,
            State::Pulled { until: None, .. } => Standing::Pulled,
            State::Pulled { until: Some(_), .. } => Standing::Lingering,
        })
    }

    /// Pulls that are running or on their way out.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Whether nothing is wanted, pulled or remembered.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    fn waiting(&self, now: Instant) -> impl Iterator<Item = (u32, Instant, S)> + '_ {
        self.sources
            .iter()
            .filter_map(move |(source, entry)| match entry.state {
                State::Due(due) if entry.wanted && due <= now => {
                    Some((entry.failures, due, source.clone()))
                }
                _ => None,
            })
    }

    /// Keeps the number of remembered failures bounded; those that are rested soonest go first.
    fn forget(&mut self, now: Instant) {
        let remembered = |entry: &Entry| match entry.state {
            State::Due(due) if !entry.wanted => Some(due),
            _ => None,
        };
        let mut known: Vec<(Instant, S)> = Vec::new();
        if self.sources.len() > self.pace.remembered {
            let each = self.sources.iter();
            known.extend(
                each.filter_map(|(source, entry)| Some((remembered(entry)?, source.clone()))),
            );
        }
        let surplus = known.len().saturating_sub(self.pace.remembered);
        known.sort();
        for (_, source) in known.into_iter().take(surplus) {
            self.sources.remove(&source);
        }
        self.sources
            .retain(|_, entry| remembered(entry).is_none_or(|due| due > now));
    }
}

/// Half of the rest is fixed, half is random.
fn rest(pace: &Pace, failures: u32, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = pace.shortest_rest.saturating_mul(1 << doublings);
    let whole = whole.min(pace.longest_rest);
    whole / 2 + (whole / 2).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
