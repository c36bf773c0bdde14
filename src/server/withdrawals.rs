//! What the records withdraw, here or at another server that shares them, ends sessions here.

use std::sync::Weak;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::http::app::App;
use crate::records::Change;
use crate::token::Withdrawal;

/// Follows the records' changes for as long as there are doors.
pub(super) async fn follow(mut changes: Receiver<Change>, app: Weak<App>) {
    loop {
        match changes.recv().await {
            Ok(Change::Key { scope, revision }) => {
                let Some(app) = app.upgrade() else {
                    return;
                };
                let before = revision.unwrap_or(u64::MAX);
                let sessions = app.withdraw(&Withdrawal::Record { scope, before });
                if sessions > 0 {
                    tracing::info!(sessions, "their secret was withdrawn");
                }
            }
            Ok(Change::Missed) | Err(RecvError::Lagged(_)) => tracing::warn!(
                "changes of the records may have been missed; sessions whose secret was withdrawn \
                 meanwhile go on until they end by themselves"
            ),
            Err(RecvError::Closed) => return,
        }
    }
}
