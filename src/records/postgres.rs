//! The records in a PostgreSQL database, which several servers may share.

mod listen;
mod url;

use std::sync::Arc;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgRow};
use sqlx::{PgPool, Transaction};

pub use url::{PostgresUrl, PostgresUrlError};

use super::store::{News, Store, StoreSettings};
use super::tables::{KeyRow, OperatorRow, Tables, Writing, reads, writes};
use super::{Change, OpenError, RecordsError, migrations};
use listen::{CHANNEL, Listening};

/// Every version of the tables, in order. One that has been released is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "accounts and keys",
        include_str!("migrations/postgres/0001_accounts_and_keys.sql"),
    ),
    (
        2,
        "operators",
        include_str!("migrations/postgres/0002_operators.sql"),
    ),
];

/// The advisory lock that a write holds shared, and what concerns all tables holds alone; "h5live" in
/// ASCII, so that it meets no other program's.
const TABLES_LOCK: i64 = 0x6835_6c69_7665;

/// The first half of the advisory locks of single scopes; the second is the scope's hash.
const SCOPE_LOCK: i32 = 0x6835_6c69;

/// Records in a PostgreSQL database. Each server hears what the others change.
pub type Postgres = Store<PostgresTables>;

/// The tables in the database.
#[derive(Clone, Debug)]
pub struct PostgresTables {
    pool: PgPool,
    sender: u64,
    listening: Arc<Listening>,
}

/// A write to the database.
pub struct PostgresWriting(Transaction<'static, sqlx::Postgres>, u64);

impl Postgres {
    /// Connects, brings the tables up to date unless it [only reads](StoreSettings::only_reads), and
    /// listens for changes. `password` is the one to use
    /// instead of the URL's. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        url: &PostgresUrl,
        password: Option<&str>,
        settings: &StoreSettings,
    ) -> Result<Self, OpenError> {
        let broken = |error: sqlx::Error| OpenError::Database {
            database: url.to_string(),
            reason: error.to_string(),
        };
        let mut options = url.options().map_err(broken)?;
        if let Some(password) = password {
            options = options.password(password);
        }
        let options = bounded(options, settings);
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.timeout)
            .connect_with(options.clone())
            .await
            .map_err(broken)?;
        if !settings.only_reads {
            migrate(&pool).await.map_err(broken)?;
        }
        let sender = getrandom::u64().map_err(|error| broken(sqlx::Error::Io(error.into())))?;
        let news = News::new(sender);
        let listening = Listening::start(options, settings.timeout, news.clone())
            .await
            .map_err(broken)?;
        let tables = PostgresTables {
            pool,
            sender,
            listening: Arc::new(listening),
        };
        Store::over(tables, settings, news, &url.to_string()).await
    }
}

/// What a server of ours leaves undone, because it died or was cut off, must not hold up the others.
fn bounded(options: PgConnectOptions, settings: &StoreSettings) -> PgConnectOptions {
    let milliseconds = settings.timeout.as_millis();
    let name = match settings.only_reads {
        false => "h5live-server",
        true => "h5liveauthsink",
    };
    options.application_name(name).options([
        ("statement_timeout", milliseconds),
        ("idle_in_transaction_session_timeout", milliseconds),
    ])
}

/// All versions in one transaction under a lock, so that two servers that start at once do not both
/// apply the same one.
async fn migrate(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    lock_tables(&mut transaction).await?;
    let mut migrator = Migrator::with_migrations(migrations(MIGRATIONS));
    migrator.set_locking(false).run(&mut *transaction).await?;
    transaction.commit().await
}

async fn lock_tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(TABLES_LOCK)
        .execute(connection)
        .await?;
    Ok(())
}

reads!(PgConnection, PgRow);

impl Tables for PostgresTables {
    type Writing = PostgresWriting;

    async fn write(&self, scope: &str) -> Result<PostgresWriting, RecordsError> {
        let mut transaction = self.pool.begin().await?;
        // A scope without a row has nothing else that could be locked.
        sqlx::query(
            "SELECT pg_advisory_xact_lock_shared($1), pg_advisory_xact_lock($2, hashtext($3))",
        )
        .bind(TABLES_LOCK)
        .bind(SCOPE_LOCK)
        .bind(scope)
        .execute(&mut *transaction)
        .await?;
        Ok(PostgresWriting(transaction, self.sender))
    }

    async fn write_alone(&self) -> Result<PostgresWriting, RecordsError> {
        let mut transaction = self.pool.begin().await?;
        lock_tables(&mut transaction).await?;
        Ok(PostgresWriting(transaction, self.sender))
    }

    async fn orga_of(&self, hash: &[u8; 32]) -> Result<Option<String>, RecordsError> {
        let mut connection = self.pool.acquire().await?;
        read_orga(&mut connection, hash).await
    }

    async fn key_of(&self, scope: &str) -> Result<Option<KeyRow>, RecordsError> {
        let mut connection = self.pool.acquire().await?;
        read_key(&mut connection, scope).await
    }

    async fn operators(&self) -> Result<Vec<OperatorRow>, RecordsError> {
        let mut connection = self.pool.acquire().await?;
        read_operators(&mut connection).await
    }

    async fn operator(&self, name: &str) -> Result<Option<OperatorRow>, RecordsError> {
        let mut connection = self.pool.acquire().await?;
        read_operator(&mut connection, name).await
    }

    async fn tell(&self, change: &Change) -> Result<(), RecordsError> {
        let mut connection = self.pool.acquire().await?;
        notify(&mut connection, change, self.sender).await
    }

    async fn forget_replaced(&self) -> Result<(), RecordsError> {
        sqlx::query("VACUUM FULL signing_keys")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn close(&self) {
        self.listening.stop();
        self.pool.close().await;
    }
}

impl Writing for PostgresWriting {
    writes!();

    async fn announce(&mut self, change: &Change) -> Result<(), RecordsError> {
        notify(&mut self.0, change, self.1).await
    }
}

async fn notify(
    connection: &mut PgConnection,
    change: &Change,
    sender: u64,
) -> Result<(), RecordsError> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(change.notification(sender))
        .execute(connection)
        .await?;
    Ok(())
}
