//! Tells a source that has fallen silent, which RTMP elements do not always. Pure.

use std::time::{Duration, Instant};

/// How much patience there is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without a byte from the origin.
    pub silence: Duration,
    /// Without a fragment for viewers. Longer than the longest distance of keyframes: the first
    /// fragment waits for one.
    pub unplayable: Duration,
}

/// Why a pull is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing comes from the origin.
    Silent,
    /// Something comes, but nothing that plays.
    Unplayable,
}

/// Looks at two counters from time to time.
#[derive(Debug)]
pub struct Watch {
    patience: Patience,
    bytes: Mark,
    fragments: Mark,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    count: u64,
    since: Instant,
}

impl Watch {
    /// Both counters stand at 0.
    pub fn new(patience: Patience, now: Instant) -> Self {
        let mark = Mark {
            count: 0,
            since: now,
        };
        Self {
            patience,
            bytes: mark,
            fragments: mark,
        }
    }

    /// Takes the counters as they are now.
    pub fn look(&mut self, bytes: u64, fragments: u64, now: Instant) -> Option<Silence> {
        if self.bytes.stood(bytes, now) >= self.patience.silence {
            Some(Silence::Silent)
        } else if self.fragments.stood(fragments, now) >= self.patience.unplayable {
            Some(Silence::Unplayable)
        } else {
            None
        }
    }
}

impl Mark {
    fn stood(&mut self, count: u64, now: Instant) -> Duration {
        if self.count != count {
            *self = Self { count, since: now };
        }
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_has_its_own_patience() {
        let start = Instant::now();
        let patience = Patience {
            silence: Duration::from_secs(5),
            unplayable: Duration::from_secs(20),
        };
        let mut watch = Watch::new(patience, start);
        let mut look = |seconds, bytes, fragments| {
            watch.look(bytes, fragments, start + Duration::from_secs(seconds))
        };
        assert_eq!(look(4, 0, 0), None);
        // Bytes come, and a keyframe does not.
        for seconds in (5..20).step_by(3) {
            assert_eq!(look(seconds, seconds, 0), None);
        }
        assert_eq!(look(20, 20, 0), Some(Silence::Unplayable));
        assert_eq!(look(21, 21, 1), None);
        assert_eq!(look(25, 21, 1), None);
        assert_eq!(look(26, 21, 1), Some(Silence::Silent));
    }
}
