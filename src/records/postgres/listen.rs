//! Hears what other servers change, by LISTEN/NOTIFY, on a connection of its own.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::Change;
use super::super::store::News;

/// Where changes are told; they carry a scope and its revision.
pub(super) const CHANNEL: &str = "h5live_changes";

/// A connection that has been silent for so long is asked whether it is still there, as one that was
/// cut off somewhere on the way stays silent for ever.
const SILENCE: Duration = Duration::from_secs(5);

/// How long to wait before the next attempt to get a lost connection back.
const RETRY: Duration = Duration::from_millis(500);

/// The task that listens. Dropping it ends the task.
#[derive(Debug)]
pub struct Listening(JoinHandle<()>);

impl Listening {
    /// Listens from when this is answered; the task gets a lost connection back by itself.
    pub(super) async fn start(
        options: PgConnectOptions,
        patience: Duration,
        news: News,
    ) -> Result<Self, sqlx::Error> {
        let listener = listen(&options, patience).await?;
        news.complete.store(true, Ordering::Release);
        Ok(Self(tokio::spawn(run(options, listener, patience, news))))
    }

    pub(super) fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn run(options: PgConnectOptions, mut listener: PgListener, patience: Duration, news: News) {
    loop {
        hear(&mut listener, patience, &news).await;
        news.complete.store(false, Ordering::Release);
        tracing::warn!("the database's news cannot be heard; its records are asked each time");
        drop(listener);
        listener = loop {
            match timeout(patience, listen(&options, patience)).await {
                Ok(Ok(listener)) => break listener,
                _ => tokio::time::sleep(RETRY).await,
            }
        };
        // First what makes others forget, then the word that they may rely on us.
        news.tell(Change::Missed);
        news.complete.store(true, Ordering::Release);
        tracing::info!("the database's news is heard again");
    }
}

/// A new pool each time: a connection that was cut off could hold the only place in an old one.
async fn listen(options: &PgConnectOptions, patience: Duration) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(patience)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    // The pool would else make the connection anew unseen, and what was missed would stay unknown.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Passes on what is heard, until the connection is lost.
async fn hear(listener: &mut PgListener, patience: Duration, news: &News) {
    loop {
        // Stopped in the middle, it loses nothing: sqlx buffers nothing outside the connection.
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                if let Some(change) = Change::of_notification(notification.payload(), news.sender) {
                    news.tell(change);
                }
            }
            Ok(Ok(None) | Err(_)) => return,
            Err(_) => {
                let alive = sqlx::query("SELECT 1").execute(&mut *listener);
                if !matches!(timeout(patience, alive).await, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}
