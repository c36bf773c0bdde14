//! Accounts, signing keys and the console's operators, behind one interface.
//!
//! No secret and no API key is kept: of a secret its signing key, which may be sealed, of an API key
//! its hash.

mod api_key;
mod cached;
mod change;
mod error;
mod location;
mod operator;
mod postgres;
pub mod private_file;
mod sealed;
mod sqlite;
mod store;
mod tables;
mod withdrawals;

use std::pin::Pin;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType};
use tokio::sync::broadcast;

pub use api_key::{ApiKey, ApiKeyHash};
pub use cached::{CacheSettings, Cached};
pub use change::Change;
pub use error::{OpenError, RecordsError};
pub use location::{MASTER_KEY, RecordsLocation, master_key};
pub use operator::{Operator, OperatorName, OperatorNameError};
pub use postgres::{Postgres, PostgresUrl, PostgresUrlError};
pub use sealed::{MasterKey, MasterKeyError};
pub use sqlite::Sqlite;
pub use store::StoreSettings;
pub use withdrawals::{Sessions, follow, look_again};

use crate::token::{Key, KeyLookup, Kid, Orga, Scope, Selection, UnixSeconds};

/// A boxed future, so that the interface is object-safe.
pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

/// What an account is made of.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The organisation that the account acts for.
    pub orga: Orga,
    /// The account's API key, as its hash.
    pub api_key: ApiKeyHash,
    /// The organisation's signing key, for the case that it has none yet.
    pub orga_key: Key,
    /// When it is made.
    pub created: UnixSeconds,
}

/// What making an account came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The organisation is new, and signs with the key that came along.
    Organisation,
    /// The organisation existed: it has one more API key now, its signing key and the other API keys
    /// are as they were.
    ApiKey,
}

/// What registering a secret came to. Each carries the revision that holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The scope had no secret.
    First(u64),
    /// The scope has this secret already; nothing changed.
    Unchanged(u64),
    /// This secret replaces another one, whose tokens are void from now on.
    Replaced(u64),
}

impl Registered {
    /// The revision that holds now.
    #[must_use]
    pub fn revision(self) -> u64 {
        match self {
            Self::First(revision) | Self::Unchanged(revision) | Self::Replaced(revision) => {
                revision
            }
        }
    }
}

/// Where accounts and signing keys are kept. Whatever has been answered is durable.
pub trait Records: Send + Sync {
    /// Makes an account, and its organisation where that is new.
    fn create_account<'a>(
        &'a self,
        account: &'a NewAccount,
    ) -> Future<'a, Result<Created, RecordsError>>;

    /// The organisation that an API key acts for.
    fn orga_of<'a>(
        &'a self,
        api_key: &'a ApiKeyHash,
    ) -> Future<'a, Result<Option<Orga>, RecordsError>>;

    /// Registers a secret, by its key, for a scope. The key's own revision does not count.
    fn register<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a Key,
        now: UnixSeconds,
    ) -> Future<'a, Result<Registered, RecordsError>>;

    /// Takes a scope's secret away for good; `false` where it has none.
    fn revoke<'a>(
        &'a self,
        scope: &'a Scope,
        now: UnixSeconds,
    ) -> Future<'a, Result<bool, RecordsError>>;

    /// Has the other servers that share these records end sessions, by [`Change::Sessions`]. This store's
    /// own listeners are not told.
    fn end_sessions<'a>(&'a self, selection: &'a Selection)
    -> Future<'a, Result<(), RecordsError>>;

    /// The scopes of an organisation, itself among them, whose secret has this kid: the same secret may
    /// be registered for many.
    fn scopes_of<'a>(
        &'a self,
        orga: &'a Orga,
        kid: Kid,
    ) -> Future<'a, Result<Vec<Scope>, RecordsError>>;

    /// The key that a scope mints with.
    fn current_key<'a>(&'a self, scope: &'a Scope)
    -> Future<'a, Result<Option<Key>, RecordsError>>;

    /// The key that a token of this scope and kid is verified with.
    fn key<'a>(
        &'a self,
        scope: &'a Scope,
        kid: Kid,
    ) -> Future<'a, Result<Option<Key>, RecordsError>>;

    /// Makes this operator, or replaces the one of the same name; true where there was one.
    fn put_operator<'a>(&'a self, operator: &'a Operator)
    -> Future<'a, Result<bool, RecordsError>>;

    /// Takes an operator away; `false` where there is none of this name.
    fn remove_operator<'a>(
        &'a self,
        name: &'a OperatorName,
    ) -> Future<'a, Result<bool, RecordsError>>;

    /// The operator of this name.
    fn operator<'a>(
        &'a self,
        name: &'a OperatorName,
    ) -> Future<'a, Result<Option<Operator>, RecordsError>>;

    /// All operators, by name.
    fn operators(&self) -> Future<'_, Result<Vec<Operator>, RecordsError>>;

    /// What changes from now on, by whomever as far as this store hears it.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// Whether all that others change is heard at the moment, so that what was read stays true until a
    /// [`Change`] says otherwise.
    fn hears_others(&self) -> bool;

    /// Waits for running statements, in bounded time, and lets the database go.
    fn close(&self) -> Future<'_, ()>;
}

/// [`Records::key`] in the verifier's terms: what cannot be read is unavailable, never unknown.
pub async fn look_up(records: &dyn Records, scope: &Scope, kid: Kid) -> KeyLookup {
    match records.key(scope, kid).await {
        Ok(Some(key)) => KeyLookup::Found(key),
        Ok(None) => KeyLookup::Unknown,
        Err(_) => KeyLookup::Unavailable,
    }
}

fn migrations(versions: &'static [(i64, &str, &str)]) -> Vec<Migration> {
    let migration = |(version, description, sql): &(i64, &'static str, &'static str)| {
        let sql = sql.into_sql_str();
        Migration::new(
            *version,
            (*description).into(),
            MigrationType::Simple,
            sql,
            false,
        )
    };
    versions.iter().map(migration).collect()
}

fn unreadable(what: &str) -> RecordsError {
    RecordsError::Unavailable(format!("{what} in them cannot be read"))
}
