//! The records in one SQLite file.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{SqlitePool, Transaction};

use super::store::{News, Store, StoreSettings};
use super::tables::{KeyRow, OperatorRow, Tables, Writing, reads, writes};
use super::{Change, OpenError, RecordsError, migrations, private_file};

/// Every version of the tables, in order. One that has been released is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "accounts and keys",
        include_str!("migrations/sqlite/0001_accounts_and_keys.sql"),
    ),
    (
        2,
        "sealed keys",
        include_str!("migrations/sqlite/0002_sealed_keys.sql"),
    ),
    (
        3,
        "operators",
        include_str!("migrations/sqlite/0003_operators.sql"),
    ),
];

/// Records in an SQLite file of mode 0600. Several processes may open one file, but none hears what
/// another one changes.
pub type Sqlite = Store<SqliteTables>;

/// The tables in the file.
#[derive(Clone, Debug)]
pub struct SqliteTables(SqlitePool);

/// A write to the file; SQLite has one at a time.
pub struct SqliteWriting(Transaction<'static, sqlx::Sqlite>);

impl Sqlite {
    /// Opens the file, makes it where there is none, and brings its tables up to date, unless it
    /// [only reads](StoreSettings::only_reads). Must be called within a tokio runtime.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(path: &Path, settings: &StoreSettings) -> Result<Self, OpenError> {
        match settings.only_reads {
            false => private_file::make(path)?,
            true => private_file::find(path)?,
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode only FULL has every commit on the disk before it is answered.
            .synchronous(SqliteSynchronous::Full)
            // What was replaced is overwritten: a signing key that is sealed now is not left beside it.
            .pragma("secure_delete", "ON")
            .busy_timeout(settings.timeout);
        let name = path.display().to_string();
        let broken = |reason: String| OpenError::Database {
            database: name.clone(),
            reason,
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.timeout)
            .connect_with(options)
            .await
            .map_err(|error| broken(error.to_string()))?;
        if !settings.only_reads {
            migrate(&pool)
                .await
                .map_err(|error| broken(error.to_string()))?;
        }
        Store::over(SqliteTables(pool), settings, News::new(0), &name).await
    }
}

/// All versions in one write transaction, so that two programs that start at once do not both apply
/// the same one.
async fn migrate(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    Migrator::with_migrations(migrations(MIGRATIONS))
        .run(&mut *transaction)
        .await?;
    transaction.commit().await
}

reads!(SqliteConnection, SqliteRow);

impl Tables for SqliteTables {
    type Writing = SqliteWriting;

    async fn write(&self, _: &str) -> Result<SqliteWriting, RecordsError> {
        self.write_alone().await
    }

    async fn write_alone(&self) -> Result<SqliteWriting, RecordsError> {
        Ok(SqliteWriting(self.0.begin_with("BEGIN IMMEDIATE").await?))
    }

    async fn orga_of(&self, hash: &[u8; 32]) -> Result<Option<String>, RecordsError> {
        let mut connection = self.0.acquire().await?;
        read_orga(&mut connection, hash).await
    }

    async fn key_of(&self, scope: &str) -> Result<Option<KeyRow>, RecordsError> {
        let mut connection = self.0.acquire().await?;
        read_key(&mut connection, scope).await
    }

    async fn operators(&self) -> Result<Vec<OperatorRow>, RecordsError> {
        let mut connection = self.0.acquire().await?;
        read_operators(&mut connection).await
    }

    async fn operator(&self, name: &str) -> Result<Option<OperatorRow>, RecordsError> {
        let mut connection = self.0.acquire().await?;
        read_operator(&mut connection, name).await
    }

    async fn tell(&self, _: &Change) -> Result<(), RecordsError> {
        Ok(())
    }

    async fn forget_replaced(&self) -> Result<(), RecordsError> {
        for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::query(statement).execute(&self.0).await?;
        }
        Ok(())
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

impl Writing for SqliteWriting {
    writes!();

    async fn announce(&mut self, _: &Change) -> Result<(), RecordsError> {
        Ok(())
    }
}
