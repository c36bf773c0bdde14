//! What the records withdraw, here or at another server that shares them, ends sessions here.
//!
//! Changes that may have been missed, while the database was out of reach, are made up for: the secret
//! behind each session is looked up again. Where nothing is heard of others, that is done all the time.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Change, Records};
use crate::token::{Scope, Withdrawal};

/// How long to wait before records that could not be read are asked again.
const RETRY: Duration = Duration::from_millis(500);

/// How long after the look at all sessions those are looked at that have begun meanwhile: a verdict may
/// have been on its way, from a key that was remembered.
const LATECOMERS: Duration = Duration::from_secs(1);

/// Those who play by what the records hold.
pub trait Sessions: Send + Sync {
    /// The secrets that they were let in by: whose, and which revision.
    fn secrets(&self) -> HashSet<(Scope, u64)>;

    /// Ends those that a withdrawal is about; returns how many.
    fn withdraw(&self, withdrawal: &Withdrawal) -> usize;
}

/// Follows the records' changes for as long as there are `sessions`.
pub async fn follow<S: Sessions + 'static>(
    records: Arc<dyn Records>,
    mut changes: Receiver<Change>,
    sessions: Weak<S>,
) {
    let missed = Arc::<Notify>::default();
    let making_up = make_up(records, Arc::clone(&missed), Weak::clone(&sessions));
    let following = async {
        loop {
            match changes.recv().await {
                Ok(Change::Key { scope, revision }) => {
                    let Some(sessions) = sessions.upgrade() else {
                        return;
                    };
                    let before = revision.unwrap_or(u64::MAX);
                    let ended = sessions.withdraw(&Withdrawal::Record { scope, before });
                    if ended > 0 {
                        tracing::info!(sessions = ended, "their secret was withdrawn");
                    }
                }
                Ok(Change::Sessions(selection)) => {
                    let Some(sessions) = sessions.upgrade() else {
                        return;
                    };
                    let ended = sessions.withdraw(&Withdrawal::Sessions(selection));
                    if ended > 0 {
                        tracing::info!(sessions = ended, "they were revoked at another server");
                    }
                }
                Ok(Change::Missed) | Err(RecvError::Lagged(_)) => {
                    tracing::warn!(
                        "changes of the records may have been missed; the secrets of all sessions are looked up"
                    );
                    missed.notify_one();
                }
                Err(RecvError::Closed) => return,
            }
        }
    };
    // Side by side, so that what changes while secrets are looked up is not held up.
    tokio::select! {
        () = making_up => {}
        () = following => {}
    }
}

/// Looks the secrets of all sessions up again and again, `every` so often, while nothing is heard of what
/// others change. Sessions go on while the records are out of reach.
pub async fn look_again<S: Sessions>(
    records: Arc<dyn Records>,
    every: Duration,
    sessions: Weak<S>,
) {
    loop {
        tokio::time::sleep(every).await;
        let Some(secrets) = secrets(&sessions) else {
            return;
        };
        if records.hears_others() {
            continue;
        }
        for (scope, revision) in secrets {
            let Ok(key) = records.current_key(&scope).await else {
                break;
            };
            let current = key.map(|key| key.revision());
            let ended = settle(&sessions, scope, revision, current);
            if ended > 0 {
                tracing::info!(sessions = ended, "their secret was withdrawn");
            }
        }
    }
}

async fn make_up<S: Sessions>(records: Arc<dyn Records>, missed: Arc<Notify>, sessions: Weak<S>) {
    loop {
        missed.notified().await;
        let mut ended = 0;
        let mut seen = HashSet::new();
        for pause in [Duration::ZERO, LATECOMERS] {
            tokio::time::sleep(pause).await;
            let Some(secrets) = secrets(&sessions) else {
                return;
            };
            for (scope, revision) in secrets {
                if seen.insert((scope.clone(), revision)) {
                    let current = current(&*records, &scope).await;
                    ended += settle(&sessions, scope, revision, current);
                }
            }
        }
        let secrets = seen.len();
        tracing::info!(
            sessions = ended,
            secrets,
            "sessions whose secret had been withdrawn are ended"
        );
    }
}

fn secrets<S: Sessions>(sessions: &Weak<S>) -> Option<HashSet<(Scope, u64)>> {
    Some(sessions.upgrade()?.secrets())
}

/// The revision that a scope has now, however long it takes to read it.
async fn current(records: &dyn Records, scope: &Scope) -> Option<u64> {
    loop {
        match records.current_key(scope).await {
            Ok(key) => return key.map(|key| key.revision()),
            Err(error) => tracing::debug!(%error, "a secret can't be looked up yet"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Ends the sessions of a scope that were let in by a revision, unless it is the current one; returns how
/// many.
fn settle<S: Sessions>(
    sessions: &Weak<S>,
    scope: Scope,
    revision: u64,
    current: Option<u64>,
) -> usize {
    if current == Some(revision) {
        return 0;
    }
    // Not all of the scope where it has none now: it may have the next one by the time that this is done.
    let next = revision.saturating_add(1);
    let before = current.map_or(next, |current| current.max(next));
    let withdrawal = Withdrawal::Record { scope, before };
    (sessions.upgrade()).map_or(0, |sessions| sessions.withdraw(&withdrawal))
}
