//! What the operator is shown of the sessions that play, and how one of them is ended.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::{End, Entry, Lease, Leases, State};
use crate::http::audience::Farewell;
use crate::http::way::Way;
use crate::token::{StreamName, Tag};

/// One session.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its lease's, unique within the process.
    pub id: u64,
    /// By which door; `None` for a moment at its beginning.
    pub way: Option<Way>,
    /// What it plays at the moment.
    pub stream: StreamName,
    /// The token's tag.
    pub tag: Option<Tag>,
    /// Where it is.
    pub client: IpAddr,
    /// When it began.
    pub since: SystemTime,
    /// Let in by an open door.
    pub open: bool,
}

/// Which of all there are, and how many of them.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// All sessions.
    pub total: usize,
    /// Those that the filter lets through.
    pub matching: usize,
    /// The latest of those, the latest first.
    pub shown: Vec<Listed>,
}

impl Leases {
    /// The latest sessions whose stream, address or tag holds this text, so many of them.
    pub fn list(&self, text: &str, most: usize) -> Listing {
        let table = self.lock();
        let mut ids: Vec<u64> = (table.entries.iter())
            .filter(|(_, entry)| entry.holds(text))
            .map(|(id, _)| *id)
            .collect();
        let matching = ids.len();
        if matching > most {
            let oldest = matching - most;
            ids.select_nth_unstable(oldest);
            ids.drain(..oldest);
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let shown = ids.iter().filter_map(|id| {
            let entry = table.entries.get(id)?;
            Some(entry.listed(*id))
        });
        Listing {
            total: table.entries.len(),
            matching,
            shown: shown.collect(),
        }
    }

    /// A session, while it lasts.
    pub fn listed(&self, id: u64) -> Option<Listed> {
        self.lock().entries.get(&id).map(|entry| entry.listed(id))
    }

    /// The latest sessions of a stream, so many of them, by their ids; and how many there are.
    pub fn of_stream(&self, stream: &StreamName, most: usize) -> (usize, Vec<u64>) {
        let table = self.lock();
        let mut ids: Vec<u64> = (table.entries.iter())
            .filter(|(_, entry)| entry.grant.stream() == stream)
            .map(|(id, _)| *id)
            .collect();
        drop(table);
        let all = ids.len();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(most);
        (all, ids)
    }

    /// Ends one session; false where there is none. Its viewer still has to be told.
    pub fn end_one(&self, id: u64) -> bool {
        let ended = self.lock().remove(id);
        self.end(
            ended.into_iter().collect(),
            End::Withdrawn,
            &self.counters.withdrawn,
        ) > 0
    }
}

impl Leases {
    /// The doors are closed: tells the audience that what is left is over. Some of it may be on its way to
    /// who would write to it, and some is an HLS session, which is no connection.
    pub fn tell_all_left(&self) {
        let left: Vec<_> = (self.lock().entries.values())
            .map(|entry| Arc::clone(&entry.state))
            .collect();
        for state in left {
            state.tell_left();
        }
    }
}

impl Entry {
    fn holds(&self, text: &str) -> bool {
        let tag = self.grant.tag().map_or("", Tag::as_str);
        text.is_empty()
            || self.grant.stream().as_str().contains(text)
            || tag.contains(text)
            || self.client.to_canonical().to_string().contains(text)
    }

    fn listed(&self, id: u64) -> Listed {
        Listed {
            id,
            way: self.state.way.get().copied(),
            stream: self.grant.stream().clone(),
            tag: self.grant.tag().cloned(),
            client: self.client.to_canonical(),
            since: self.state.since,
            open: self.grant.is_open(),
        }
    }
}

impl Lease {
    /// Says by which door it plays. Only the first call counts.
    pub fn is_by(&self, way: Way) {
        if self.0.way.set(way).is_ok()
            && let Some(audience) = &self.0.leases.audience
            && let Some(listed) = self.0.leases.listed(self.0.id)
        {
            // Under the lock, so that it never hears of the end first.
            let mut told = self.0.told();
            audience.joined(&listed);
            *told = Some(listed);
        }
    }

    /// Its client has taken nothing for too long.
    pub fn stalled(&self) {
        self.0.stalled.store(true, Ordering::Relaxed);
    }

    /// How often it skipped, once it is known.
    pub fn skipped(&self, skips: u64) {
        self.0.skips.store(skips, Ordering::Relaxed);
    }

    /// What [`Leases::end_one`] ends it by.
    pub fn id(&self) -> u64 {
        self.0.id
    }
}

impl State {
    fn told(&self) -> MutexGuard<'_, Option<Listed>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the audience that it is over, once.
    pub(super) fn tell_left(&self) {
        if let Some(audience) = &self.leases.audience
            && let Some(listed) = self.told().take()
        {
            let farewell = Farewell {
                end: self.end.get().copied(),
                stalled: self.stalled.load(Ordering::Relaxed),
                skips: self.skips.load(Ordering::Relaxed),
                lasted: self.since.elapsed().unwrap_or_default(),
            };
            audience.left(&listed, farewell);
        }
    }
}
