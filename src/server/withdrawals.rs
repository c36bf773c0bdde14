//! What the records withdraw, here or at another server that shares them, ends sessions here.
//!
//! Changes that may have been missed, while the database was out of reach, are made up for: the secret
//! behind each session is looked up again.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::http::app::App;
use crate::records::{Change, Records};
use crate::token::{Scope, Withdrawal};

/// How long to wait before records that could not be read are asked again.
const RETRY: Duration = Duration::from_millis(500);

/// How long after the look at all sessions those are looked at that have begun meanwhile: a verdict may
/// have been on its way, from a key that was remembered.
const LATECOMERS: Duration = Duration::from_secs(1);

/// Follows the records' changes for as long as there are doors.
pub(super) async fn follow(
    records: Arc<dyn Records>,
    mut changes: Receiver<Change>,
    app: Weak<App>,
) {
    let missed = Arc::<Notify>::default();
    let making_up = tokio::spawn(make_up(records, Arc::clone(&missed), Weak::clone(&app)));
    loop {
        match changes.recv().await {
            Ok(Change::Key { scope, revision }) => {
                let Some(app) = app.upgrade() else {
                    break;
                };
                let sessions = withdraw(&app, scope, revision);
                if sessions > 0 {
                    tracing::info!(sessions, "their secret was withdrawn");
                }
            }
            Ok(Change::Sessions(selection)) => {
                let Some(app) = app.upgrade() else {
                    break;
                };
                let sessions = app.withdraw(&Withdrawal::Sessions(selection));
                if sessions > 0 {
                    tracing::info!(sessions, "they were revoked at another server");
                }
            }
            Ok(Change::Missed) | Err(RecvError::Lagged(_)) => {
                tracing::warn!(
                    "changes of the records may have been missed; the secrets of all sessions are looked up"
                );
                missed.notify_one();
            }
            Err(RecvError::Closed) => break,
        }
    }
    making_up.abort();
}

/// A task of its own, so that what changes meanwhile is not held up.
async fn make_up(records: Arc<dyn Records>, missed: Arc<Notify>, app: Weak<App>) {
    loop {
        missed.notified().await;
        let mut sessions = 0;
        let mut seen = HashSet::new();
        for pause in [Duration::ZERO, LATECOMERS] {
            tokio::time::sleep(pause).await;
            let Some(scopes) = app.upgrade().map(|app| app.leases.scopes()) else {
                return;
            };
            for scope in scopes {
                if seen.insert(scope.clone()) {
                    sessions += look_up(&*records, scope, &app).await;
                }
            }
        }
        let secrets = seen.len();
        tracing::info!(
            sessions,
            secrets,
            "sessions whose secret had been withdrawn are ended"
        );
    }
}

/// Ends the sessions of a scope that its secret does not open any more; returns how many.
async fn look_up(records: &dyn Records, scope: Scope, app: &Weak<App>) -> usize {
    loop {
        let current = records.current_key(&scope).await;
        let Some(app) = app.upgrade() else {
            return 0;
        };
        match current {
            Ok(key) => return withdraw(&app, scope, key.map(|key| key.revision())),
            Err(error) => tracing::debug!(%error, "a secret can't be looked up yet"),
        }
        drop(app);
        tokio::time::sleep(RETRY).await;
    }
}

fn withdraw(app: &App, scope: Scope, revision: Option<u64>) -> usize {
    let before = revision.unwrap_or(u64::MAX);
    app.withdraw(&Withdrawal::Record { scope, before })
}
