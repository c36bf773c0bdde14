//! The rules of the records, whichever database keeps them: revisions, what is revoked, what is
//! sealed, and who is told.

mod interface;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

use super::change::BACKLOG;
use super::sealed::Seal;
use super::tables::{KeyRow, Tables, Writing};
use super::{
    Change, Created, MasterKey, NewAccount, OpenError, RecordsError, Registered, unreadable,
};
use crate::token::{Key, Kid, Orga, Scope, UnixSeconds};

/// Bounds of a store, and what its signing keys are sealed with.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Connections to the database at once.
    pub connections: u32,
    /// How long an answer of the database is waited for.
    pub timeout: Duration,
    /// Signing keys are sealed with this; `None`: kept as they are.
    pub master_key: Option<MasterKey>,
    /// Whoever opens it reads only: the records must be there, and are left as they are. The right to
    /// read is enough for the tables of a PostgreSQL.
    pub only_reads: bool,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            connections: 4,
            timeout: Duration::from_secs(5),
            master_key: None,
            only_reads: false,
        }
    }
}

/// Records in the tables of some database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store<T> {
    tables: T,
    seal: Seal,
    timeout: Duration,
    news: News,
}

/// Where a store's changes go to, its own and those of others.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) changes: broadcast::Sender<Change>,
    /// Whether all that others change is heard at the moment.
    pub(super) complete: Arc<AtomicBool>,
    /// Which store this is to others; random.
    pub(super) sender: u64,
}

impl News {
    pub(super) fn new(sender: u64) -> Self {
        Self {
            sender,
            changes: broadcast::Sender::new(BACKLOG),
            complete: Arc::new(AtomicBool::new(false)),
        }
    }

    pub(super) fn tell(&self, change: Change) {
        // Nobody has to listen.
        let _ = self.changes.send(change);
    }
}

impl<T: Tables> Store<T> {
    /// Puts a store over tables that are up to date, and seals what is not sealed where a master key
    /// is given for the first time.
    pub(super) async fn over(
        tables: T,
        settings: &StoreSettings,
        news: News,
        database: &str,
    ) -> Result<Self, OpenError> {
        let store = Self {
            tables,
            seal: Seal::new(settings.master_key.as_ref()),
            timeout: settings.timeout,
            news,
        };
        let settling = store.settle_seal(settings.only_reads);
        match store.within(settling).await {
            Ok(Settled::Fits) => {}
            Ok(Settled::Unsealed) => return Err(OpenError::Unsealed),
            Ok(Settled::Sealed) => return Err(OpenError::Sealed),
            Ok(Settled::OtherMasterKey) => return Err(OpenError::OtherMasterKey),
            Ok(Settled::JustSealed(keys)) => {
                tracing::info!(
                    keys,
                    "the signing keys in the records are sealed from now on"
                );
                if let Err(error) = store.tables.forget_replaced().await {
                    tracing::warn!(
                        %error,
                        "the signing keys are sealed, but the database may still hold their former content; vacuum it"
                    );
                }
            }
            Err(error) => {
                return Err(OpenError::Database {
                    database: database.to_owned(),
                    reason: error.reason(),
                });
            }
        }
        Ok(store)
    }

    /// Waits for running statements, in bounded time, and lets the database go.
    pub async fn close(&self) {
        // A database out of reach must not hold up the end.
        let _ = tokio::time::timeout(self.timeout, self.tables.close()).await;
    }

    async fn settle_seal(&self, only_reads: bool) -> Result<Settled, RecordsError> {
        let mut writing = self.tables.write_alone().await?;
        let proof = writing.proof().await?;
        let Some(own_proof) = self.seal.proof()? else {
            return Ok(proof.map_or(Settled::Fits, |_| Settled::Sealed));
        };
        if let Some(proof) = proof {
            return Ok(if self.seal.proves(&proof) {
                Settled::Fits
            } else {
                Settled::OtherMasterKey
            });
        }
        if only_reads {
            return Ok(Settled::Unsealed);
        }
        let plain = Seal::new(None);
        let keys = writing.keys().await?;
        for (scope, row) in &keys {
            let sealed = self.seal.close(scope, &key_of(&plain, scope, row)?)?;
            writing.restore_key(scope, &sealed).await?;
        }
        writing.add_proof(&own_proof).await?;
        writing.commit().await?;
        Ok(Settled::JustSealed(keys.len()))
    }

    /// A database that does not answer must not hold up whoever asks.
    async fn within<R>(
        &self,
        work: impl std::future::Future<Output = Result<R, RecordsError>>,
    ) -> Result<R, RecordsError> {
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or_else(|_| {
                Err(RecordsError::Unavailable(
                    "no answer in time, limits.records-timeout".to_owned(),
                ))
            })
    }

    async fn write(&self, scope: &Scope) -> Result<T::Writing, RecordsError> {
        let mut writing = self.tables.write(scope.as_str()).await?;
        // Another server may have been given a master key since this one was started without.
        if !self.seal.is_closed() && writing.proof().await?.is_some() {
            return Err(RecordsError::Unavailable(
                "they are sealed, and no master key was given".to_owned(),
            ));
        }
        Ok(writing)
    }

    async fn put(
        &self,
        writing: &mut T::Writing,
        scope: &Scope,
        key: &Key,
        revision: u64,
        now: UnixSeconds,
    ) -> Result<(), RecordsError> {
        let row = KeyRow {
            kid: key.kid().0,
            signing: self.seal.close(scope.as_str(), key)?,
            revision: number(revision)?,
        };
        writing.put_key(scope.as_str(), &row, number(now.0)?).await
    }

    /// Commits, and tells of it: others by the database, our own at once.
    async fn commit(&self, mut writing: T::Writing, change: Change) -> Result<(), RecordsError> {
        writing.announce(&change).await?;
        writing.commit().await?;
        self.news.tell(change);
        Ok(())
    }

    async fn create(&self, account: &NewAccount) -> Result<Created, RecordsError> {
        let scope = Scope::Orga(account.orga.clone());
        let (orga, created) = (account.orga.as_str(), number(account.created.0)?);
        let mut writing = self.write(&scope).await?;
        let is_new = writing.add_orga(orga, created).await?;
        if is_new {
            self.put(&mut writing, &scope, &account.orga_key, 1, account.created)
                .await?;
        }
        writing
            .add_api_key(account.api_key.as_bytes(), orga, created)
            .await?;
        writing.commit().await?;
        Ok(if is_new {
            Created::Organisation
        } else {
            Created::ApiKey
        })
    }

    async fn replace(
        &self,
        scope: &Scope,
        key: &Key,
        now: UnixSeconds,
    ) -> Result<Registered, RecordsError> {
        let mut writing = self.write(scope).await?;
        let current = writing.key_of(scope.as_str()).await?;
        let current = current
            .map(|row| key_of(&self.seal, scope.as_str(), &row))
            .transpose()?;
        if let Some(current) = &current {
            if current.same_secret(key) {
                return Ok(Registered::Unchanged(current.revision()));
            }
            if current.kid() == key.kid() {
                return Err(RecordsError::SameKid);
            }
        }
        if writing
            .is_revoked(scope.as_str(), &fingerprint(key))
            .await?
        {
            return Err(RecordsError::Revoked);
        }
        let registered = match &current {
            Some(current) => Registered::Replaced(current.revision() + 1),
            // Revisions go on after a revocation, so that none ever stands for two secrets.
            None => {
                let last = writing.last_revoked(scope.as_str()).await?;
                Registered::First(1 + u64::try_from(last).map_err(|_| unreadable("a revision"))?)
            }
        };
        let revision = registered.revision();
        self.put(&mut writing, scope, key, revision, now).await?;
        let change = Change::Key {
            scope: scope.clone(),
            revision: Some(revision),
        };
        self.commit(writing, change).await?;
        Ok(registered)
    }

    async fn take_away(&self, scope: &Scope, now: UnixSeconds) -> Result<bool, RecordsError> {
        let mut writing = self.write(scope).await?;
        let Some(row) = writing.key_of(scope.as_str()).await? else {
            return Ok(false);
        };
        let current = key_of(&self.seal, scope.as_str(), &row)?;
        writing
            .add_revoked(
                scope.as_str(),
                &fingerprint(&current),
                row.revision,
                number(now.0)?,
            )
            .await?;
        writing.remove_key(scope.as_str()).await?;
        let change = Change::Key {
            scope: scope.clone(),
            revision: None,
        };
        self.commit(writing, change).await?;
        Ok(true)
    }

    async fn with_kid(&self, orga: &Orga, kid: Kid) -> Result<Vec<Scope>, RecordsError> {
        // Of all keys: kids are not looked up but where somebody withdraws one.
        let keys = self.tables.write_alone().await?.keys().await?;
        let found = keys.into_iter().filter(|(_, key)| key.kid == kid.0);
        let scopes: Result<Vec<Scope>, RecordsError> = found
            .map(|(scope, _)| Scope::parse(&scope).ok_or_else(|| unreadable("a scope")))
            .collect();
        let mut scopes = scopes?;
        scopes.retain(|scope| scope.orga() == *orga);
        Ok(scopes)
    }

    async fn read(&self, scope: &Scope) -> Result<Option<Key>, RecordsError> {
        let row = self.tables.key_of(scope.as_str()).await?;
        row.map(|row| key_of(&self.seal, scope.as_str(), &row))
            .transpose()
    }
}

/// What the master key, or that there is none, means to the records.
enum Settled {
    Fits,
    JustSealed(usize),
    Unsealed,
    Sealed,
    OtherMasterKey,
}

fn key_of(seal: &Seal, scope: &str, row: &KeyRow) -> Result<Key, RecordsError> {
    let kid = Kid(row.kid);
    let signing = seal.open(scope, kid, &row.signing)?;
    let revision = u64::try_from(row.revision).map_err(|_| unreadable("a revision"))?;
    Ok(Key::from_parts(kid, signing, revision))
}

fn fingerprint(key: &Key) -> [u8; 32] {
    Sha256::digest(key.signing_bytes()).into()
}

fn number(number: u64) -> Result<i64, RecordsError> {
    i64::try_from(number).map_err(|_| unreadable("a number"))
}
