//! Who plays by HLS at the moment: a session lives as long as its player fetches.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::http::admit::Door;
use crate::http::leases::{End, Lease};
use crate::http::places::{Place, Places};
use crate::http::viewer_key::ViewerKey;
use crate::hub::Feed;
use crate::token::{Facts, Grant};

/// A player that has fetched nothing for so long has left. Longer than the longest pause between two
/// reloads of a player that knows no parts.
const IDLE: Duration = Duration::from_secs(20);

/// Requests of one player at once, most of them waiting for what is not there yet.
const REQUESTS: usize = 16;

/// The most players that are remembered for having been ended; more take the place of those that have
/// not asked for longest.
const MOST_ENDED: usize = 10_000;

/// What a session's URIs carry: 128 bits of the system's generator.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Capability([u8; 16]);

impl Capability {
    fn new() -> Option<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Reads 22 characters of base64url.
    pub fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let read = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (read == bytes.len() && text.len() == 22).then_some(Self(bytes))
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// One player.
pub(super) struct Session {
    pub capability: Capability,
    /// Where its capability counts.
    pub door: Door,
    pub feed: Feed,
    /// So that one player can't hold all requests that the server takes.
    pub requests: Places,
    pub lease: Lease,
    grant: Grant,
    /// Let in by an approval: its requests name no page.
    pageless: bool,
    viewer: ViewerKey,
    last: Mutex<Instant>,
    _place: Place,
}

impl Session {
    /// Whether a request is from where the grant says.
    pub fn fits(&self, facts: &Facts, names_page: bool) -> bool {
        let ip = self.grant.ip().is_none_or(|ip| ip == facts.ip);
        let page = self.grant.referer().is_none_or(|page| {
            facts.referer.as_ref() == Some(page) || (self.pageless && !names_page)
        });
        ip && page
    }

    /// Notes that its player is there.
    pub fn touch(&self, now: Instant) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn idle(&self, now: Instant) -> Duration {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_duration_since(last)
    }
}

/// What a session is made of.
pub(super) struct Arrival {
    pub door: Door,
    pub feed: Feed,
    pub lease: Lease,
    pub grant: Grant,
    pub pageless: bool,
    pub viewer: ViewerKey,
    pub place: Place,
}

/// The sessions of a process.
#[derive(Default)]
pub struct Sessions(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_capability: HashMap<Capability, Arc<Session>>,
    by_viewer: HashMap<ViewerKey, Capability>,
    /// Players whose session was ended, and when they came last. A player polls: without this, one
    /// whose token still holds would be back before it knew.
    ended: HashMap<ViewerKey, (End, Instant)>,
}

impl Table {
    /// Takes out the sessions that `goes` says; they are to be dropped when the table is unlocked,
    /// because leaving a stream tells the origins' supervisor.
    fn take_out(&mut self, goes: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let mut out = Vec::new();
        self.by_capability.retain(|_, session| {
            let goes = goes(session);
            if goes {
                out.push(Arc::clone(session));
            }
            !goes
        });
        for session in &out {
            if self.by_viewer.get(&session.viewer) == Some(&session.capability) {
                self.by_viewer.remove(&session.viewer);
            }
        }
        out
    }

    fn forget_ended(&mut self, now: Instant) {
        self.ended
            .retain(|_, (_, last)| now.saturating_duration_since(*last) < IDLE);
        let Some(excess) = self.ended.len().checked_sub(MOST_ENDED + 1) else {
            return;
        };
        let mut times: Vec<Instant> = self.ended.values().map(|(_, last)| *last).collect();
        let (_, oldest, _) = times.select_nth_unstable(excess);
        let oldest = *oldest;
        self.ended.retain(|_, (_, last)| *last > oldest);
    }
}

impl Sessions {
    /// Begins one. `None` where the system gives no random numbers.
    pub(super) fn begin(&self, arrival: Arrival, now: Instant) -> Option<Arc<Session>> {
        let capability = Capability::new()?;
        let viewer = arrival.viewer;
        let session = Arc::new(Session {
            capability,
            door: arrival.door,
            feed: arrival.feed,
            requests: Places::new(REQUESTS),
            lease: arrival.lease,
            grant: arrival.grant,
            pageless: arrival.pageless,
            viewer,
            last: Mutex::new(now),
            _place: arrival.place,
        });
        let mut table = self.lock();
        table.by_capability.insert(capability, Arc::clone(&session));
        // Two first requests of one player at once: the later session is found from now on.
        table.by_viewer.insert(viewer, capability);
        // The gate has let it in again.
        table.ended.remove(&viewer);
        Some(session)
    }

    /// The session of a player that comes again.
    pub(super) fn of(&self, viewer: ViewerKey) -> Option<Arc<Session>> {
        let table = self.lock();
        let capability = table.by_viewer.get(&viewer)?;
        table.by_capability.get(capability).cloned()
    }

    /// Why a player that comes again was sent away. It stays away for as long as it goes on asking.
    pub(super) fn ended(&self, viewer: ViewerKey, now: Instant) -> Option<End> {
        let mut table = self.lock();
        let (end, last) = table.ended.get_mut(&viewer)?;
        if now.saturating_duration_since(*last) >= IDLE {
            return None;
        }
        *last = now;
        Some(*end)
    }

    /// The session that a URI belongs to.
    pub(super) fn get(&self, capability: Capability) -> Option<Arc<Session>> {
        let session = self.lock().by_capability.get(&capability).cloned()?;
        session.lease.end().is_none().then_some(session)
    }

    /// Takes out the sessions whose leases have ended.
    pub fn review(&self, now: Instant) {
        let mut table = self.lock();
        let out = table.take_out(|session| session.lease.end().is_some());
        for session in &out {
            // A player whose earlier session was replaced by its own goes on with that.
            if let Some(end) = session.lease.end()
                && !table.by_viewer.contains_key(&session.viewer)
            {
                table.ended.insert(session.viewer, (end, now));
            }
        }
        table.forget_ended(now);
        drop(table);
        drop(out);
    }

    /// Ends the sessions whose players have left.
    pub fn expire(&self, now: Instant) {
        // One may have been ended just before it came into the table.
        self.review(now);
        let mut table = self.lock();
        let left = table.take_out(|session| session.idle(now) >= IDLE);
        table.forget_ended(now);
        drop(table);
        drop(left);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().by_capability.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
