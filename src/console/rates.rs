//! How much comes of each stream, over the last few looks. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::hub::Source;

/// Looks that are taken together, so that a keyframe is no peak.
const LOOKS: usize = 6;

/// What earlier looks have seen.
#[derive(Default)]
pub struct Rates(HashMap<Source, VecDeque<(Instant, u64)>>);

impl Rates {
    /// Kilobits a second of a stream that has brought so many bytes by now; `None` at the first look.
    pub fn look(&mut self, source: &Source, bytes: u64, now: Instant) -> Option<u64> {
        let looks = self.0.entry(source.clone()).or_default();
        if looks.back().is_some_and(|(_, last)| *last > bytes) {
            // It is another stream of the same name.
            looks.clear();
        }
        looks.push_back((now, bytes));
        if looks.len() > LOOKS {
            looks.pop_front();
        }
        let (then, before) = *looks.front()?;
        let elapsed = u64::try_from((now - then).as_millis()).ok()?;
        // Bits a millisecond are kilobits a second.
        ((bytes - before) * 8).checked_div(elapsed)
    }

    /// Forgets the streams that were not seen now.
    pub fn keep(&mut self, now: Instant) {
        let seen =
            |looks: &VecDeque<(Instant, u64)>| looks.back().is_some_and(|(at, _)| *at == now);
        self.0.retain(|_, looks| seen(looks));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hub::OriginName;
    use crate::token::StreamName;

    #[test]
    fn a_rate_is_the_last_seconds_and_a_new_stream_begins_anew() {
        let source = Source {
            origin: OriginName::new("main"),
            stream: StreamName::parse("ABCDE-demo").unwrap(),
        };
        let (mut rates, start) = (Rates::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(rates.look(&source, 5000, at(0)), None);
        for second in 1..20 {
            let rate = rates.look(&source, 5000 + second * 1000, at(second));
            assert_eq!(rate, Some(8));
        }
        assert_eq!(rates.look(&source, 100, at(20)), None);
        rates.keep(at(20));
        assert_eq!(rates.0.len(), 1);
        rates.keep(at(21));
        assert!(rates.0.is_empty());
    }
}
