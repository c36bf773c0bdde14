//! Who plays at this moment by which grant, on every door, and how that is ended early.
//!
//! ```text
//! door     mark ─▶ gate ─▶ grant ─▶ take ─▶ Lease, held for as long as the session plays
//! API      withdraw ─▶ ends the leases that match, and those whose verdict is on its way
//! clock    expire ───▶ ends the leases whose grant is over, where the operator wants that
//! take     at a limit of sessions ─▶ ends the lease that has to make way, or refuses
//! ```
//!
//! A lease that has ended says so to whoever looks ([`Lease::end`]) or waits ([`Lease::ended`]);
//! nothing is looked for while media flows.

mod counts;
mod lease;
mod listing;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::admit::Refusal;
use super::audience::Audience;
use super::way::Way;
use crate::token::{Grant, Scope, StreamName, TokenId, UnixSeconds, Withdrawal};
use counts::Counts;
pub use counts::{OnSessionLimit, SessionLimits};
pub use listing::{Listed, Listing};

/// Withdrawals that are remembered for viewers whose verdict is on its way. Who misses more than
/// these in that time is told to come again.
const REMEMBERED: usize = 1024;

/// What happens to a session whose grant expires while it plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExpiry {
    /// It plays on: expiry is looked at when a viewer comes.
    #[default]
    Keep,
    /// It ends in that second.
    Close,
}

/// Why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A [`Withdrawal`].
    Withdrawn,
    /// [`OnExpiry::Close`].
    Expired,
    /// A newer one took its place ([`SessionLimits`]).
    Replaced,
}

/// Whether a session counts against the [`SessionLimits`].
#[derive(Clone, Copy, Debug)]
pub enum Counting<'a> {
    /// It is sent media. With the player's `pid`, where it has one.
    Media(Option<&'a str>),
    /// It stands beside one that is.
    Beside,
}

/// Sessions ended so far, by reason.
#[derive(Debug, Default)]
pub struct Counters {
    /// By a [`Withdrawal`].
    pub withdrawn: AtomicU64,
    /// By [`OnExpiry::Close`].
    pub expired: AtomicU64,
    /// By a newer one.
    pub replaced: AtomicU64,
}

/// A moment before a verdict: what is withdrawn after it counts against that verdict.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// All leases of a process.
#[derive(Default)]
pub struct Leases {
    table: Mutex<Table>,
    counters: Counters,
    /// Some lease has been replaced.
    replaced: Notify,
    audience: Option<Arc<dyn Audience>>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<u64, Entry>,
    expiries: BTreeSet<(UnixSeconds, u64)>,
    next: u64,
    recent: VecDeque<Withdrawal>,
    /// Withdrawals ever.
    withdrawals: u64,
    counts: Counts,
    /// Expiry ends only what has a deadline of its own.
    only_deadlines: bool,
}

struct Entry {
    grant: Grant,
    client: IpAddr,
    /// `None`: it does not count.
    counted: Option<Counted>,
    state: Arc<State>,
}

/// What a session counts by, beside its grant.
#[derive(Clone, Copy)]
struct Counted {
    token: Option<TokenId>,
    /// The player's `pid` by its hash, as a pid may be long; `None`: nobody knows it again.
    player: Option<[u8; 32]>,
}

impl Counting<'_> {
    fn counted(self, token: Option<TokenId>) -> Option<Counted> {
        match self {
            Self::Media(pid) => Some(Counted {
                token,
                player: pid.map(|pid| Sha256::digest(pid).into()),
            }),
            Self::Beside => None,
        }
    }
}

struct State {
    id: u64,
    leases: Arc<Leases>,
    since: SystemTime,
    way: OnceLock<Way>,
    end: OnceLock<End>,
    changed: Notify,
    /// As the audience was told of it, until it has heard of its end too.
    told: Mutex<Option<Listed>>,
    stalled: AtomicBool,
    skips: AtomicU64,
}

/// One session's permission to go on; dropping it gives it back.
pub struct Lease(Arc<State>);

impl Leases {
    /// With these bounds.
    pub fn new(limits: SessionLimits) -> Self {
        let table = Table {
            counts: Counts::new(limits),
            ..Table::default()
        };
        Self {
            table: Mutex::new(table),
            ..Self::default()
        }
    }

    /// Also what expiry does to those who play.
    pub fn on_expiry(mut self, on_expiry: OnExpiry) -> Self {
        let table = self.table.get_mut();
        let table = table.unwrap_or_else(PoisonError::into_inner);
        table.only_deadlines = on_expiry == OnExpiry::Keep;
        self
    }

    /// Also who hears of them.
    pub fn heard_by(mut self, audience: Option<Arc<dyn Audience>>) -> Self {
        self.audience = audience;
        self
    }

    /// To be taken before the gate is asked.
    pub fn mark(&self) -> Mark {
        Mark(self.lock().withdrawals)
    }

    /// Lets a session begin that was let in after `since`, unless its grant was withdrawn meanwhile or
    /// has as many sessions as it may.
    pub fn take(
        self: &Arc<Self>,
        since: Mark,
        (grant, token): (&Grant, Option<TokenId>),
        client: IpAddr,
        counting: Counting<'_>,
    ) -> Result<Lease, Refusal> {
        let mut table = self.lock();
        table.check(since, grant, client)?;
        let counted = counting.counted(token);
        let leaving = table.make_room(grant, client, counted, None)?;
        let id = table.next;
        table.next += 1;
        let state = Arc::new(State {
            id,
            leases: Arc::clone(self),
            since: SystemTime::now(),
            way: OnceLock::new(),
            end: OnceLock::new(),
            changed: Notify::new(),
            told: Mutex::default(),
            stalled: AtomicBool::new(false),
            skips: AtomicU64::new(0),
        });
        table.insert(
            id,
            Entry {
                grant: grant.clone(),
                client,
                counted,
                state: Arc::clone(&state),
            },
        );
        drop(table);
        self.replace(leaving);
        Ok(Lease(state))
    }

    /// Ends the leases that match; returns how many. Their sessions still have to be told.
    pub fn withdraw(&self, withdrawal: &Withdrawal) -> usize {
        let mut table = self.lock();
        table.withdrawals += 1;
        if table.recent.len() == REMEMBERED {
            table.recent.pop_front();
        }
        table.recent.push_back(withdrawal.clone());
        let matching = table
            .entries
            .iter()
            .filter(|(_, entry)| withdrawal.ends(&entry.grant, entry.client));
        let ids: Vec<u64> = matching.map(|(id, _)| *id).collect();
        let ended = ids.iter().filter_map(|id| table.remove(*id)).collect();
        drop(table);
        self.end(ended, End::Withdrawn, &self.counters.withdrawn)
    }

    /// Ends the leases whose grants are over at `now`; returns how many.
    pub fn expire(&self, now: UnixSeconds) -> usize {
        let mut table = self.lock();
        let mut ended = Vec::new();
        while let Some((_, id)) = table.expiries.first().filter(|(at, _)| *at <= now).copied() {
            ended.extend(table.remove(id));
        }
        drop(table);
        self.end(ended, End::Expired, &self.counters.expired)
    }

    /// Waits until some lease was replaced. Its session still has to be told.
    pub async fn replaced(&self) {
        self.replaced.notified().await;
    }

    fn replace(&self, leaving: Vec<Entry>) {
        if !leaving.is_empty() {
            self.end(leaving, End::Replaced, &self.counters.replaced);
            self.replaced.notify_one();
        }
    }

    fn end(&self, ended: Vec<Entry>, end: End, counter: &AtomicU64) -> usize {
        for entry in &ended {
            let _ = entry.state.end.set(end);
            entry.state.changed.notify_waiters();
        }
        counter.fetch_add(ended.len() as u64, Ordering::Relaxed);
        ended.len()
    }

    /// Sessions ended so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The secrets that they were granted by, whose and which revision, those without any left out; of one
    /// stream, where it is given.
    pub fn secrets(&self, stream: Option<&StreamName>) -> HashSet<(Scope, u64)> {
        let table = self.lock();
        let grants = table.entries.values().map(|entry| &entry.grant);
        let by_token = grants.filter(|grant| {
            !grant.is_open() && stream.is_none_or(|stream| stream == grant.stream())
        });
        by_token
            .map(|grant| (grant.scope().clone(), grant.revision()))
            .collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().entries.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn check(&self, since: Mark, grant: &Grant, client: IpAddr) -> Result<(), Refusal> {
        let missed = usize::try_from(self.withdrawals - since.0).unwrap_or(usize::MAX);
        if missed > self.recent.len() {
            return Err(Refusal::Full);
        }
        let mut missed = self.recent.iter().rev().take(missed);
        match missed.any(|withdrawal| withdrawal.ends(grant, client)) {
            true => Err(Refusal::Ended(End::Withdrawn)),
            false => Ok(()),
        }
    }

    /// Takes out those who have to make way for a session by this grant.
    fn make_room(
        &mut self,
        grant: &Grant,
        client: IpAddr,
        counted: Option<Counted>,
        renewed: Option<u64>,
    ) -> Result<Vec<Entry>, Refusal> {
        let Some(Counted { token, player }) = counted else {
            return Ok(Vec::new());
        };
        let is_own = |id| {
            let entry = self.entries.get(&id).filter(|it| it.client == client);
            let other = entry.and_then(|it| it.counted?.player);
            other.is_some() && other == player
        };
        let leaving = self.counts.make_room((grant, token), renewed, is_own);
        let leaving = leaving.map_err(|counts::Full| Refusal::SessionLimit)?;
        Ok(leaving
            .into_iter()
            .filter_map(|id| self.remove(id))
            .collect())
    }

    fn insert(&mut self, id: u64, entry: Entry) {
        if let Some(Counted { token, .. }) = entry.counted {
            self.counts.insert(id, (&entry.grant, token));
        }
        self.expiries.extend(self.over(&entry).map(|at| (at, id)));
        self.entries.insert(id, entry);
    }

    /// When a session has to end.
    fn over(&self, entry: &Entry) -> Option<UnixSeconds> {
        match self.only_deadlines {
            true => entry.grant.deadline(),
            false => entry.grant.expires(),
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        if let Some(Counted { token, .. }) = entry.counted {
            self.counts.remove(id, (&entry.grant, token));
        }
        if let Some(at) = self.over(&entry) {
            self.expiries.remove(&(at, id));
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
