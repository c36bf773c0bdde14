//! How often something may be said or done. Pure.

use std::time::{Duration, Instant};

/// At most so many times in each period.
#[derive(Debug)]
pub(super) struct Pace {
    most: u32,
    period: Duration,
    begun: Option<Instant>,
    used: u32,
    held_back: u64,
}

impl Pace {
    pub const fn new(most: u32, period: Duration) -> Self {
        Self {
            most,
            period,
            begun: None,
            used: 0,
            held_back: 0,
        }
    }

    /// Whether it may happen now, and then how often it might not since the last time.
    pub fn allows(&mut self, now: Instant) -> Option<u64> {
        let fresh = self
            .begun
            .is_none_or(|begun| now.saturating_duration_since(begun) >= self.period);
        if fresh {
            (self.begun, self.used) = (Some(now), 0);
        }
        if self.used >= self.most {
            self.held_back += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_counted_and_told_with_the_next() {
        let (mut pace, now) = (Pace::new(2, Duration::from_secs(1)), Instant::now());
        let at = |millis| now + Duration::from_millis(millis);
        let said: Vec<_> = [0, 1, 2, 999, 1000, 1001, 1002, 9000]
            .map(|millis| pace.allows(at(millis)))
            .to_vec();
        let expected = [
            Some(0),
            Some(0),
            None,
            None,
            Some(2),
            Some(0),
            None,
            Some(1),
        ];
        assert_eq!(said, expected);
    }
}
