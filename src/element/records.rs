//! The records that say who may play: opened before the doors, followed while they are open, and closed
//! after them.
//!
//! Whoever changes the element's state waits for the database here, in bounded time; all else runs on the
//! doors' runtime. The element only reads.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::broadcast::Receiver;
use tokio::task::AbortHandle;

use crate::http::admit::{KeySource, Lookup};
use crate::http::standalone::{self, Authority, Players};
use crate::records::{
    CacheSettings, Cached, Change, OpenError, Records, RecordsLocation, Sessions, StoreSettings,
    follow, look_again, look_up, master_key,
};
use crate::token::{Key, Kid, Scope, StreamName, Withdrawal};

/// Connections to the database: few viewers come at once whose keys are not remembered.
const CONNECTIONS: u32 = 2;

/// How long the start waits for the records, all in all.
const OPENING: Duration = Duration::from_secs(10);

/// How long the stop waits for them.
const CLOSING: Duration = Duration::from_secs(2);

/// How often the secrets of all who play are looked up where others' changes are not heard.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Records as they are set. No `Debug`: a password may stand there.
pub(super) struct Wanted {
    location: RecordsLocation,
    master_key_file: Option<PathBuf>,
}

/// Why there are no records.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordsError {
    #[error("the records can't be opened: {0}")]
    Open(OpenError),
    #[error(
        "the records can't be opened: {0}; look whether the database runs, and set records and \
         records-password-file as h5live-server has them"
    )]
    Database(OpenError),
    #[error(
        "the records can't be opened: {0}; set records to the file that h5live-server has, and let this \
         user read and write it"
    )]
    File(OpenError),
    #[error(
        "the records do not answer within {} s; look whether their database runs, or choose another one in \
         records",
        OPENING.as_secs()
    )]
    Late,
    #[error("can't start the threads that serve viewers ({0})")]
    Threads(io::Error),
}

/// Open records. Dropping them ends what follows them, and closes them.
pub(super) struct Opened {
    runtime: &'static Runtime,
    records: Arc<dyn Records>,
    changes: Option<Receiver<Change>>,
    /// Those who follow go on for as long as there is this.
    players: Option<Arc<Players>>,
    following: Vec<AbortHandle>,
}

/// What was read when they were opened.
struct Found {
    records: Arc<dyn Records>,
    changes: Receiver<Change>,
    current: Vec<(Scope, Key)>,
}

impl Wanted {
    /// Reads the properties. A relative path counts from the working directory.
    pub fn read(
        records: &str,
        password_file: Option<&str>,
        master_key_file: Option<&str>,
    ) -> Result<Self, String> {
        let here = Path::new("");
        let mut location = RecordsLocation::parse(records, here)
            .map_err(|problem| format!("records: {problem}"))?;
        if let Some(path) = password_file {
            location
                .set_password_file(path.into())
                .map_err(|problem| format!("records-password-file {problem}"))?;
        }
        Ok(Self {
            location,
            master_key_file: master_key_file.map(PathBuf::from),
        })
    }

    /// Opens them, for a stream that is not served yet.
    pub fn open(self, stream: &StreamName) -> Result<(Opened, Authority), RecordsError> {
        let runtime = standalone::runtime().map_err(RecordsError::Threads)?;
        let told = match &self.location {
            RecordsLocation::Sqlite(_) => RecordsError::File,
            RecordsLocation::Postgres { .. } => RecordsError::Database,
        };
        let scopes = [Scope::Stream(stream.clone()), Scope::Orga(stream.orga())];
        let found =
            wait_for(runtime, OPENING, || self.find(scopes)).map_err(RecordsError::Threads)?;
        let found = found.ok_or(RecordsError::Late)?;
        let found = found.map_err(|error| match error {
            OpenError::Database { .. } => told(error),
            error => RecordsError::Open(error),
        })?;
        let authority = Authority::Kept {
            keys: Arc::new(RecordedKeys(Arc::clone(&found.records))),
            current: found.current,
        };
        let opened = Opened {
            runtime,
            records: found.records,
            changes: Some(found.changes),
            players: None,
            following: Vec::new(),
        };
        Ok((opened, authority))
    }

    async fn find(self, scopes: [Scope; 2]) -> Result<Found, OpenError> {
        let settings = StoreSettings {
            connections: CONNECTIONS,
            master_key: master_key(self.master_key_file.as_deref())?,
            only_reads: true,
            ..StoreSettings::default()
        };
        let store = self.location.open(&settings).await?;
        let records: Arc<dyn Records> = Arc::new(Cached::new(store, CacheSettings::default()));
        // Before the keys are read, so that no change falls between.
        let changes = records.changes();
        let mut current = Vec::new();
        for scope in scopes {
            let key = records.current_key(&scope).await;
            let key = key.map_err(|error| OpenError::Database {
                database: self.location.to_string(),
                reason: error.to_string(),
            })?;
            current.extend(key.map(|key| (scope, key)));
        }
        Ok(Found {
            records,
            changes,
            current,
        })
    }
}

/// What some work comes to; `None` where it takes too long. On a thread of its own, as that of the
/// application may be one of a runtime, where nobody may wait so.
fn wait_for<T: Send, W: Future<Output = T>>(
    runtime: &Runtime,
    most: Duration,
    work: impl FnOnce() -> W + Send,
) -> io::Result<Option<T>> {
    thread::scope(|scope| {
        let waiting = thread::Builder::new()
            .name("h5live-records".to_owned())
            .spawn_scoped(scope, || {
                let work = work();
                runtime.block_on(async { tokio::time::timeout(most, work).await.ok() })
            })?;
        Ok(waiting.join().unwrap_or_default())
    })
}

impl Opened {
    /// Ends sessions of those who play when the records withdraw their secrets.
    pub fn follow(&mut self, players: Players) {
        let players = Arc::new(players);
        let weak = || Arc::downgrade(&players);
        let mut spawn = |task| self.following.push(task);
        if let Some(changes) = self.changes.take() {
            let following = follow(Arc::clone(&self.records), changes, weak());
            spawn(self.runtime.spawn(following).abort_handle());
        }
        let looking = look_again(Arc::clone(&self.records), LOOK_EVERY, weak());
        spawn(self.runtime.spawn(looking).abort_handle());
        self.players = Some(players);
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        for task in &self.following {
            task.abort();
        }
        // Without a thread to wait on they are closed with their last connection.
        let _ = wait_for(self.runtime, CLOSING, || self.records.close());
    }
}

/// Keys are what the records hold.
struct RecordedKeys(Arc<dyn Records>);

impl KeySource for RecordedKeys {
    fn key<'a>(&'a self, _: &'a StreamName, scope: &'a Scope, kid: Kid) -> Lookup<'a> {
        Box::pin(look_up(&*self.0, scope, kid))
    }
}

impl Sessions for Players {
    fn secrets(&self) -> HashSet<(Scope, u64)> {
        Players::secrets(self)
    }

    fn withdraw(&self, withdrawal: &Withdrawal) -> usize {
        Players::withdraw(self, withdrawal)
    }
}
