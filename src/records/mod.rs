//! Accounts and signing keys, behind one interface.
//!
//! No secret and no API key is kept: of a secret its signing key, of an API key its hash.

mod api_key;
mod sqlite;

use std::pin::Pin;

pub use api_key::{ApiKey, ApiKeyHash};
pub use sqlite::{OpenError, Sqlite, SqliteSettings};

use crate::token::{Key, KeyLookup, Kid, Orga, Scope, UnixSeconds};

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

/// Why the records refuse, or cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// The store cannot be reached, is busy for too long, or holds something unreadable.
    #[error(
        "the records cannot be used now ({0}); try again, and look at the server's disk if it stays so"
    )]
    Unavailable(String),
    /// The secret was revoked for this scope.
    #[error("this secret was revoked and is not accepted again; choose another one")]
    Revoked,
    /// The live secret of the scope is another one with the same kid, so a token could not say which
    /// of them it was made with.
    #[error("this secret cannot be told apart from the one that it replaces; choose another one")]
    SameKid,
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
}

/// [`Records::key`] in the verifier's terms: what cannot be read is unavailable, never unknown.
pub async fn look_up(records: &dyn Records, scope: &Scope, kid: Kid) -> KeyLookup {
    match records.key(scope, kid).await {
        Ok(Some(key)) => KeyLookup::Found(key),
        Ok(None) => KeyLookup::Unknown,
        Err(_) => KeyLookup::Unavailable,
    }
}
