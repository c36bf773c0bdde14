//! Pages that were seen on a socket just before, for the playlist request that names none.
//!
//! A native player's request has neither Origin nor Referer. The H5Live player opens a WebSocket with
//! `flags=checkandclose` or `metastreamonly` right before it, and that one has an `Origin`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::viewer_key::ViewerKey;
use crate::token::Host;

/// How long after the check a playlist may be asked for.
const GOOD_FOR: Duration = Duration::from_secs(30);

/// How many are remembered; one more takes the oldest one's place.
const MOST: usize = 10_000;

/// The approvals of a process.
#[derive(Default)]
pub struct Approvals(Mutex<HashMap<ViewerKey, (Host, Instant)>>);

impl Approvals {
    /// Remembers the page that a player was let in from.
    pub fn remember(&self, player: ViewerKey, page: &Host, now: Instant) {
        let mut approvals = self.lock();
        if approvals.len() >= MOST {
            approvals.retain(|_, (_, at)| now.saturating_duration_since(*at) < GOOD_FOR);
        }
        if approvals.len() >= MOST {
            let oldest = approvals.iter().min_by_key(|(_, (_, at))| *at);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                approvals.remove(&oldest);
            }
        }
        approvals.insert(player, (page.clone(), now));
    }

    /// The page that the same player was let in from a moment ago.
    pub fn page(&self, player: ViewerKey, now: Instant) -> Option<Host> {
        let approvals = self.lock();
        let (page, at) = approvals.get(&player)?;
        (now.saturating_duration_since(*at) < GOOD_FOR).then(|| page.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ViewerKey, (Host, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::http::admit::{Door, ViewerRequest};

    fn player(pid: &str) -> ViewerKey {
        let query = format!("stream=ABCDE-demo&pid={pid}");
        let request = ViewerRequest::read(Door::Gated, &query).unwrap();
        ViewerKey::of(&request, [192, 0, 2, 1].into())
    }

    #[test]
    fn an_approval_is_good_for_its_time_and_its_player() {
        let approvals = Approvals::default();
        let page = Host::bare("demo.example.test").unwrap();
        let now = Instant::now();
        approvals.remember(player("1"), &page, now);
        let last = now + GOOD_FOR - Duration::from_millis(1);
        assert_eq!(approvals.page(player("1"), last), Some(page));
        assert_eq!(approvals.page(player("1"), now + GOOD_FOR), None);
        assert_eq!(approvals.page(player("2"), now), None);
    }
}
