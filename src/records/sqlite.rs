//! The records in one SQLite file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr, SqlitePool, query};

use super::{ApiKeyHash, Created, Future, NewAccount, Records, RecordsError, Registered};
use crate::token::{Key, Kid, Orga, Scope, UnixSeconds};

/// Every version of the tables, in order. One that has been released is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[(
    1,
    "accounts and keys",
    include_str!("migrations/0001_accounts_and_keys.sql"),
)];

/// Bounds of the store.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// Connections to the file at once.
    pub connections: u32,
    /// How long a connection, and then a lock, is waited for.
    pub timeout: Duration,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refuses.
    #[error("{}: cannot be opened or made ({reason}); name a file in a directory that the server may write", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// Others than the owner may read or write it, and it holds signing keys.
    #[error("{}: its mode is {mode:03o}, but it holds signing keys; run chmod 600 on it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// The permission bits found.
        mode: u32,
    },
    /// SQLite refuses, or the tables are of a newer version than this program.
    #[error("{}: cannot be used as records ({reason})", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        reason: String,
    },
}

/// Records in an SQLite file of mode 0600. Cheap to clone; several processes may open one file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    /// Opens the file, makes it where there is none, and brings its tables up to date. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(path: &Path, settings: &SqliteSettings) -> Result<Self, OpenError> {
        private_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode only FULL has every commit on the disk before it is answered.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(settings.timeout);
        let broken = |reason: String| OpenError::Database {
            path: path.to_owned(),
            reason,
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.timeout)
            .connect_with(options)
            .await
            .map_err(|error| broken(error.to_string()))?;
        migrate(&pool).await.map_err(broken)?;
        Ok(Self { pool })
    }

    /// Waits for running statements and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes the file with mode 0600 before SQLite would make it with the umask's; the files beside it
/// (`-wal`, `-shm`) take over its mode.
#[cfg(unix)]
fn private_file(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    let failed = |error: std::io::Error| OpenError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let mode = std::fs::metadata(path)
        .map_err(failed)?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(OpenError::Mode {
        path: path.to_owned(),
        mode,
    })
}

#[cfg(not(unix))]
fn private_file(_: &Path) -> Result<(), OpenError> {
    Ok(())
}

/// All versions in one write transaction, so that two programs that start at once do not both apply
/// the same one.
async fn migrate(pool: &SqlitePool) -> Result<(), String> {
    let migrations = MIGRATIONS.iter().map(|(version, description, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(
            *version,
            (*description).into(),
            MigrationType::Simple,
            sql,
            false,
        )
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    let mut transaction = pool
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|error| error.to_string())?;
    migrator
        .run(&mut *transaction)
        .await
        .map_err(|error| error.to_string())?;
    transaction
        .commit()
        .await
        .map_err(|error| error.to_string())
}

impl From<sqlx::Error> for RecordsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Records for Sqlite {
    fn create_account<'a>(
        &'a self,
        account: &'a NewAccount,
    ) -> Future<'a, Result<Created, RecordsError>> {
        Box::pin(async move {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let created = seconds(account.created)?;
            let added = query(
                "INSERT INTO organisations (orga, created) VALUES (?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(account.orga.as_str())
            .bind(created)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
            if added == 1 {
                let scope = Scope::Orga(account.orga.clone());
                write_key(
                    &mut transaction,
                    &scope,
                    &account.orga_key,
                    1,
                    account.created,
                )
                .await?;
            }
            query("INSERT INTO api_keys (hash, orga, created) VALUES (?, ?, ?)")
                .bind(account.api_key.as_bytes().as_slice())
                .bind(account.orga.as_str())
                .bind(created)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(if added == 1 {
                Created::Organisation
            } else {
                Created::ApiKey
            })
        })
    }

    fn orga_of<'a>(
        &'a self,
        api_key: &'a ApiKeyHash,
    ) -> Future<'a, Result<Option<Orga>, RecordsError>> {
        Box::pin(async move {
            let row = query("SELECT orga FROM api_keys WHERE hash = ?")
                .bind(api_key.as_bytes().as_slice())
                .fetch_optional(&self.pool)
                .await?;
            row.map(|row| {
                Orga::parse(row.try_get("orga")?).map_err(|_| unreadable("an organisation"))
            })
            .transpose()
        })
    }

    fn register<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a Key,
        now: UnixSeconds,
    ) -> Future<'a, Result<Registered, RecordsError>> {
        Box::pin(async move {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let current = read_key(&mut transaction, scope).await?;
            if let Some(current) = &current {
                if current.same_secret(key) {
                    return Ok(Registered::Unchanged(current.revision()));
                }
                if current.kid() == key.kid() {
                    return Err(RecordsError::SameKid);
                }
            }
            let revoked: Option<SqliteRow> =
                query("SELECT 1 FROM revoked_keys WHERE scope = ? AND fingerprint = ?")
                    .bind(scope.as_str())
                    .bind(fingerprint(key).as_slice())
                    .fetch_optional(&mut *transaction)
                    .await?;
            if revoked.is_some() {
                return Err(RecordsError::Revoked);
            }
            let registered = match &current {
                Some(current) => Registered::Replaced(current.revision() + 1),
                // Revisions go on after a revocation, so that none ever stands for two secrets.
                None => Registered::First(1 + last_revoked(&mut transaction, scope).await?),
            };
            write_key(&mut transaction, scope, key, registered.revision(), now).await?;
            transaction.commit().await?;
            Ok(registered)
        })
    }

    fn revoke<'a>(
        &'a self,
        scope: &'a Scope,
        now: UnixSeconds,
    ) -> Future<'a, Result<bool, RecordsError>> {
        Box::pin(async move {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let Some(current) = read_key(&mut transaction, scope).await? else {
                return Ok(false);
            };
            query("INSERT INTO revoked_keys (scope, fingerprint, revision, revoked) VALUES (?, ?, ?, ?)")
                .bind(scope.as_str())
                .bind(fingerprint(&current).as_slice())
                .bind(number(current.revision())?)
                .bind(seconds(now)?)
                .execute(&mut *transaction)
                .await?;
            query("DELETE FROM signing_keys WHERE scope = ?")
                .bind(scope.as_str())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(true)
        })
    }

    fn scopes_of<'a>(
        &'a self,
        orga: &'a Orga,
        kid: Kid,
    ) -> Future<'a, Result<Vec<Scope>, RecordsError>> {
        Box::pin(async move {
            let rows = query("SELECT scope FROM signing_keys WHERE kid = ?")
                .bind(kid.0.as_slice())
                .fetch_all(&self.pool)
                .await?;
            let mut scopes = Vec::new();
            for row in rows {
                let scope = Scope::parse(row.try_get("scope")?);
                scopes.push(scope.ok_or_else(|| unreadable("a scope"))?);
            }
            scopes.retain(|scope| scope.orga() == *orga);
            Ok(scopes)
        })
    }

    fn current_key<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> Future<'a, Result<Option<Key>, RecordsError>> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            read_key(&mut connection, scope).await
        })
    }

    fn key<'a>(
        &'a self,
        scope: &'a Scope,
        kid: Kid,
    ) -> Future<'a, Result<Option<Key>, RecordsError>> {
        Box::pin(async move {
            let current = self.current_key(scope).await?;
            Ok(current.filter(|key| key.kid() == kid))
        })
    }
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

async fn read_key(
    connection: &mut SqliteConnection,
    scope: &Scope,
) -> Result<Option<Key>, RecordsError> {
    let row = query("SELECT kid, signing, revision FROM signing_keys WHERE scope = ?")
        .bind(scope.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let kid: [u8; 4] = row
        .try_get::<&[u8], _>("kid")?
        .try_into()
        .map_err(|_| unreadable("a kid"))?;
    let signing: [u8; 32] = row
        .try_get::<&[u8], _>("signing")?
        .try_into()
        .map_err(|_| unreadable("a signing key"))?;
    let revision: i64 = row.try_get("revision")?;
    let revision = u64::try_from(revision).map_err(|_| unreadable("a revision"))?;
    Ok(Some(Key::from_parts(Kid(kid), signing, revision)))
}

async fn write_key(
    connection: &mut SqliteConnection,
    scope: &Scope,
    key: &Key,
    revision: u64,
    now: UnixSeconds,
) -> Result<(), RecordsError> {
    query(
        "INSERT INTO signing_keys (scope, kid, signing, revision, created) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (scope) DO UPDATE SET
             kid = excluded.kid, signing = excluded.signing,
             revision = excluded.revision, created = excluded.created",
    )
    .bind(scope.as_str())
    .bind(key.kid().0.as_slice())
    .bind(key.signing_bytes().as_slice())
    .bind(number(revision)?)
    .bind(seconds(now)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn last_revoked(
    connection: &mut SqliteConnection,
    scope: &Scope,
) -> Result<u64, RecordsError> {
    let row =
        query("SELECT coalesce(max(revision), 0) AS revision FROM revoked_keys WHERE scope = ?")
            .bind(scope.as_str())
            .fetch_one(connection)
            .await?;
    u64::try_from(row.try_get::<i64, _>("revision")?).map_err(|_| unreadable("a revision"))
}

fn fingerprint(key: &Key) -> [u8; 32] {
    Sha256::digest(key.signing_bytes()).into()
}

fn seconds(time: UnixSeconds) -> Result<i64, RecordsError> {
    number(time.0)
}

fn number(number: u64) -> Result<i64, RecordsError> {
    i64::try_from(number).map_err(|_| unreadable("a number"))
}

fn unreadable(what: &str) -> RecordsError {
    RecordsError::Unavailable(format!("{what} in them cannot be read"))
}
