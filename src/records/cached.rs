//! Keys remembered for a while, so that viewers get in while the database is away.
//!
//! ```text
//! age of an entry    changes by others are heard      they are not
//! up to half         answered from here               asked, briefly; from here without an answer
//! up to the limit    asked, briefly; from here without an answer
//! older              asked, for as long as it takes
//! ```
//!
//! So a withdrawal that this server hears of is obeyed at once, and any other when the entry has
//! reached its limit at the latest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use super::{
    ApiKeyHash, Change, Created, Future, NewAccount, Operator, OperatorName, Records, RecordsError,
    Registered,
};
use crate::token::{Key, Kid, Orga, Scope, Selection, UnixSeconds};

/// How long the store is waited for where its answer is remembered: it is away rather than slow.
const BRIEFLY: Duration = Duration::from_millis(250);

/// Bounds of what is remembered.
#[derive(Clone, Copy, Debug)]
pub struct CacheSettings {
    /// How old what is remembered may be. Zero: nothing is.
    pub age: Duration,
    /// How many keys are remembered.
    pub entries: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(60),
            entries: 10_000,
        }
    }
}

/// Records in front of others, remembering the keys that were looked up.
pub struct Cached {
    records: Arc<dyn Records>,
    settings: CacheSettings,
    memory: Mutex<Memory>,
    /// Whether the records were out of reach when they were last asked.
    away: AtomicBool,
}

struct Memory {
    keys: HashMap<Scope, Entry>,
    changes: broadcast::Receiver<Change>,
    /// Counts what was forgotten, so that what was read before is not remembered after it.
    forgotten: u64,
}

struct Entry {
    key: Key,
    read: Instant,
}

impl Cached {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, settings: CacheSettings) -> Self {
        let memory = Memory {
            keys: HashMap::new(),
            changes: records.changes(),
            forgotten: 0,
        };
        Self {
            records,
            settings,
            memory: Mutex::new(memory),
            away: AtomicBool::new(false),
        }
    }

    async fn look_up(&self, scope: &Scope, kid: Kid) -> Result<Option<Key>, RecordsError> {
        // Before the memory is read: what is heard from now on is in it, or makes it be asked.
        let heard = self.records.hears_others();
        let (remembered, forgotten) = {
            let mut memory = self.memory();
            (memory.recall(scope, self.settings.age), memory.forgotten)
        };
        let remembered = remembered.filter(|(key, _)| key.kid() == kid);
        let asked = Instant::now();
        let answer = match &remembered {
            Some((key, age)) if heard && *age <= self.settings.age / 2 => {
                return Ok(Some(key.clone()));
            }
            Some(_) => tokio::time::timeout(BRIEFLY, self.records.key(scope, kid))
                .await
                .unwrap_or_else(|_| Err(RecordsError::Unavailable("no answer yet".to_owned()))),
            None => self.records.key(scope, kid).await,
        };
        self.note(&answer);
        match (answer, remembered) {
            (Err(RecordsError::Unavailable(_)), Some((key, _)))
                if self.still_holds(scope, &key) =>
            {
                Ok(Some(key))
            }
            (Ok(Some(key)), _) => {
                self.remember(scope, &key, asked, forgotten);
                Ok(Some(key))
            }
            (Ok(None), Some(_)) => {
                self.forget(scope);
                Ok(None)
            }
            (answer, _) => answer,
        }
    }

    /// Whether nothing was heard about a key since it was recalled.
    fn still_holds(&self, scope: &Scope, key: &Key) -> bool {
        self.memory()
            .recall(scope, self.settings.age)
            .is_some_and(|(now, _)| now.revision() == key.revision())
    }

    fn remember(&self, scope: &Scope, key: &Key, read: Instant, forgotten: u64) {
        let mut memory = self.memory();
        if self.settings.age.is_zero() || memory.forgotten != forgotten {
            return;
        }
        if memory.keys.len() >= self.settings.entries && !memory.keys.contains_key(scope) {
            let oldest = memory.keys.iter().min_by_key(|(_, entry)| entry.read);
            if let Some(oldest) = oldest.map(|(scope, _)| scope.clone()) {
                memory.keys.remove(&oldest);
            }
        }
        let key = key.clone();
        memory.keys.insert(scope.clone(), Entry { key, read });
    }

    fn forget(&self, scope: &Scope) {
        self.memory().forget(scope);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.hear();
        memory
    }

    /// Says once that the records are away, and once that they are back.
    fn note(&self, answer: &Result<Option<Key>, RecordsError>) {
        let away = matches!(answer, Err(RecordsError::Unavailable(_)));
        if self.away.swap(away, Ordering::Relaxed) == away {
            return;
        }
        match answer {
            Err(error) => tracing::warn!(
                %error,
                age = ?self.settings.age,
                "keys are not answered; known ones are good up to their age, others get 4900"
            ),
            Ok(_) => tracing::info!("keys are answered again"),
        }
    }
}

impl Memory {
    /// Forgets what has changed since the last look.
    fn hear(&mut self) {
        loop {
            match self.changes.try_recv() {
                Ok(Change::Key { scope, revision }) => {
                    let known = self.keys.get(&scope).map(|entry| entry.key.revision());
                    // No revision ever stands for two secrets.
                    if known.is_none() || known != revision {
                        self.forget(&scope);
                    }
                }
                Ok(Change::Sessions(_)) => {}
                Ok(Change::Missed) | Err(TryRecvError::Lagged(_)) => {
                    self.keys.clear();
                    self.forgotten += 1;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn forget(&mut self, scope: &Scope) {
        self.keys.remove(scope);
        self.forgotten += 1;
    }

    fn recall(&mut self, scope: &Scope, age: Duration) -> Option<(Key, Duration)> {
        let entry = self.keys.get(scope)?;
        let elapsed = entry.read.elapsed();
        if elapsed > age {
            self.keys.remove(scope);
            return None;
        }
        Some((entry.key.clone(), elapsed))
    }
}

impl Records for Cached {
    fn create_account<'a>(
        &'a self,
        account: &'a NewAccount,
    ) -> Future<'a, Result<Created, RecordsError>> {
        self.records.create_account(account)
    }

    fn orga_of<'a>(
        &'a self,
        api_key: &'a ApiKeyHash,
    ) -> Future<'a, Result<Option<Orga>, RecordsError>> {
        self.records.orga_of(api_key)
    }

    fn register<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a Key,
        now: UnixSeconds,
    ) -> Future<'a, Result<Registered, RecordsError>> {
        Box::pin(async move {
            let registered = self.records.register(scope, key, now).await;
            // Also after an error: it may have been done before the answer was lost.
            self.forget(scope);
            registered
        })
    }

    fn revoke<'a>(
        &'a self,
        scope: &'a Scope,
        now: UnixSeconds,
    ) -> Future<'a, Result<bool, RecordsError>> {
        Box::pin(async move {
            let revoked = self.records.revoke(scope, now).await;
            self.forget(scope);
            revoked
        })
    }

    fn end_sessions<'a>(
        &'a self,
        selection: &'a Selection,
    ) -> Future<'a, Result<(), RecordsError>> {
        self.records.end_sessions(selection)
    }

    fn scopes_of<'a>(
        &'a self,
        orga: &'a Orga,
        kid: Kid,
    ) -> Future<'a, Result<Vec<Scope>, RecordsError>> {
        self.records.scopes_of(orga, kid)
    }

    fn current_key<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> Future<'a, Result<Option<Key>, RecordsError>> {
        self.records.current_key(scope)
    }

    fn key<'a>(
        &'a self,
        scope: &'a Scope,
        kid: Kid,
    ) -> Future<'a, Result<Option<Key>, RecordsError>> {
        Box::pin(self.look_up(scope, kid))
    }

    fn put_operator<'a>(
        &'a self,
        operator: &'a Operator,
    ) -> Future<'a, Result<bool, RecordsError>> {
        self.records.put_operator(operator)
    }

    fn remove_operator<'a>(
        &'a self,
        name: &'a OperatorName,
    ) -> Future<'a, Result<bool, RecordsError>> {
        self.records.remove_operator(name)
    }

    fn operator<'a>(
        &'a self,
        name: &'a OperatorName,
    ) -> Future<'a, Result<Option<Operator>, RecordsError>> {
        self.records.operator(name)
    }

    fn operators(&self) -> Future<'_, Result<Vec<Operator>, RecordsError>> {
        self.records.operators()
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.records.changes()
    }

    fn hears_others(&self) -> bool {
        self.records.hears_others()
    }

    fn close(&self) -> Future<'_, ()> {
        self.records.close()
    }
}
