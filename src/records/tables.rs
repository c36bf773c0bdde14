//! What a database has to do for the records: read, and write in transactions. One text of SQL serves
//! both of them, as SQLite knows PostgreSQL's `$1`, `ON CONFLICT` and `excluded`.

use std::future::Future;

use super::{Change, RecordsError};

/// A row of `signing_keys`, as it is stored: its signing key may be sealed.
#[derive(Clone)]
pub struct KeyRow {
    /// The first bytes of a token of this key.
    pub kid: [u8; 4],
    /// Plain or sealed.
    pub signing: Vec<u8>,
    /// From 1.
    pub revision: i64,
}

/// A row of `operators`.
#[derive(Clone)]
pub struct OperatorRow {
    /// The operator's name.
    pub name: String,
    /// A PHC string.
    pub password: String,
    /// Unix seconds.
    pub created: i64,
}

/// The tables of one database.
pub trait Tables: Clone + Send + Sync + 'static {
    /// A write that is under way.
    type Writing: Writing;

    /// Begins a write. No other write of this scope runs meanwhile, and no [`Tables::write_alone`].
    fn write(
        &self,
        scope: &str,
    ) -> impl Future<Output = Result<Self::Writing, RecordsError>> + Send;

    /// Begins a write beside which no other runs.
    fn write_alone(&self) -> impl Future<Output = Result<Self::Writing, RecordsError>> + Send;

    /// The organisation of an API key's hash.
    fn orga_of(
        &self,
        hash: &[u8; 32],
    ) -> impl Future<Output = Result<Option<String>, RecordsError>> + Send;

    /// A scope's key.
    fn key_of(
        &self,
        scope: &str,
    ) -> impl Future<Output = Result<Option<KeyRow>, RecordsError>> + Send;

    /// All operators, by name.
    fn operators(&self) -> impl Future<Output = Result<Vec<OperatorRow>, RecordsError>> + Send;

    /// The operator of this name.
    fn operator(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<OperatorRow>, RecordsError>> + Send;

    /// Tells others of a change that is none of the tables'.
    fn tell(&self, change: &Change) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// Makes the database forget the former content of rows that were replaced, as far as it can.
    fn forget_replaced(&self) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// Waits for running statements and lets the database go.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// Statements of one transaction; without [`Writing::commit`] nothing has happened.
pub trait Writing: Send {
    /// Whether the organisation is new.
    fn add_orga(
        &mut self,
        orga: &str,
        created: i64,
    ) -> impl Future<Output = Result<bool, RecordsError>> + Send;

    /// Adds an API key's hash.
    fn add_api_key(
        &mut self,
        hash: &[u8; 32],
        orga: &str,
        created: i64,
    ) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// A scope's key.
    fn key_of(
        &mut self,
        scope: &str,
    ) -> impl Future<Output = Result<Option<KeyRow>, RecordsError>> + Send;

    /// Every scope with its key.
    fn keys(&mut self) -> impl Future<Output = Result<Vec<(String, KeyRow)>, RecordsError>> + Send;

    /// Makes this the scope's key.
    fn put_key(
        &mut self,
        scope: &str,
        key: &KeyRow,
        now: i64,
    ) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// Changes nothing of a scope's key but the form in which it is stored.
    fn restore_key(
        &mut self,
        scope: &str,
        signing: &[u8],
    ) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// Takes the scope's key away.
    fn remove_key(&mut self, scope: &str) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// Notes what is never accepted again.
    fn add_revoked(
        &mut self,
        scope: &str,
        fingerprint: &[u8; 32],
        revision: i64,
        now: i64,
    ) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// Whether that was noted.
    fn is_revoked(
        &mut self,
        scope: &str,
        fingerprint: &[u8; 32],
    ) -> impl Future<Output = Result<bool, RecordsError>> + Send;

    /// The highest revision that was revoked; 0 where none was.
    fn last_revoked(
        &mut self,
        scope: &str,
    ) -> impl Future<Output = Result<i64, RecordsError>> + Send;

    /// Makes an operator, or replaces the one of this name; true where there was one.
    fn put_operator(
        &mut self,
        operator: &OperatorRow,
    ) -> impl Future<Output = Result<bool, RecordsError>> + Send;

    /// Whether there was such an operator.
    fn remove_operator(
        &mut self,
        name: &str,
    ) -> impl Future<Output = Result<bool, RecordsError>> + Send;

    /// The proof of the master key, where signing keys are sealed.
    fn proof(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, RecordsError>> + Send;

    /// Notes that signing keys are sealed from now on.
    fn add_proof(&mut self, proof: &[u8]) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// Tells other servers of the change once this is committed.
    fn announce(
        &mut self,
        change: &Change,
    ) -> impl Future<Output = Result<(), RecordsError>> + Send;

    /// Makes it durable.
    fn commit(self) -> impl Future<Output = Result<(), RecordsError>> + Send;
}

/// What may be read without a transaction as well.
macro_rules! reads {
    ($connection:ty, $row:ty) => {
        async fn read_key(
            connection: &mut $connection,
            scope: &str,
        ) -> Result<Option<$crate::records::tables::KeyRow>, $crate::records::RecordsError> {
            let sql = "SELECT kid, signing, revision FROM signing_keys WHERE scope = $1";
            let row = sqlx::query(sql)
                .bind(scope)
                .fetch_optional(connection)
                .await?;
            row.as_ref().map(key_row).transpose()
        }

        async fn read_orga(
            connection: &mut $connection,
            hash: &[u8; 32],
        ) -> Result<Option<String>, $crate::records::RecordsError> {
            let row = sqlx::query("SELECT orga FROM api_keys WHERE hash = $1")
                .bind(hash.as_slice())
                .fetch_optional(connection)
                .await?;
            Ok(row
                .map(|row| sqlx::Row::try_get(&row, "orga"))
                .transpose()?)
        }

        async fn read_operators(
            connection: &mut $connection,
        ) -> Result<Vec<$crate::records::tables::OperatorRow>, $crate::records::RecordsError> {
            let rows = sqlx::query("SELECT name, password, created FROM operators ORDER BY name")
                .fetch_all(connection)
                .await?;
            rows.iter().map(operator_row).collect()
        }

        async fn read_operator(
            connection: &mut $connection,
            name: &str,
        ) -> Result<Option<$crate::records::tables::OperatorRow>, $crate::records::RecordsError> {
            let sql = "SELECT name, password, created FROM operators WHERE name = $1";
            let row = sqlx::query(sql).bind(name).fetch_optional(connection);
            row.await?.as_ref().map(operator_row).transpose()
        }

        fn operator_row(
            row: &$row,
        ) -> Result<$crate::records::tables::OperatorRow, $crate::records::RecordsError> {
            use sqlx::Row;
            Ok($crate::records::tables::OperatorRow {
                name: row.try_get("name")?,
                password: row.try_get("password")?,
                created: row.try_get("created")?,
            })
        }

        fn key_row(
            row: &$row,
        ) -> Result<$crate::records::tables::KeyRow, $crate::records::RecordsError> {
            use sqlx::Row;
            let kid: &[u8] = row.try_get("kid")?;
            Ok($crate::records::tables::KeyRow {
                kid: kid
                    .try_into()
                    .map_err(|_| $crate::records::unreadable("a kid"))?,
                signing: row.try_get("signing")?,
                revision: row.try_get("revision")?,
            })
        }
    };
}

/// The statements of a transaction but for [`Writing::announce`], which is the database's own.
macro_rules! writes {
    () => {
        async fn add_orga(&mut self, orga: &str, created: i64) -> Result<bool, RecordsError> {
            let sql =
                "INSERT INTO organisations (orga, created) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            let done = sqlx::query(sql).bind(orga).bind(created);
            Ok(done.execute(&mut *self.0).await?.rows_affected() == 1)
        }

        async fn add_api_key(
            &mut self,
            hash: &[u8; 32],
            orga: &str,
            created: i64,
        ) -> Result<(), RecordsError> {
            sqlx::query("INSERT INTO api_keys (hash, orga, created) VALUES ($1, $2, $3)")
                .bind(hash.as_slice())
                .bind(orga)
                .bind(created)
                .execute(&mut *self.0)
                .await?;
            Ok(())
        }

        async fn key_of(&mut self, scope: &str) -> Result<Option<KeyRow>, RecordsError> {
            read_key(&mut self.0, scope).await
        }

        async fn keys(&mut self) -> Result<Vec<(String, KeyRow)>, RecordsError> {
            sqlx::query("SELECT scope, kid, signing, revision FROM signing_keys")
                .fetch_all(&mut *self.0)
                .await?
                .iter()
                .map(|row| Ok((sqlx::Row::try_get(row, "scope")?, key_row(row)?)))
                .collect()
        }

        async fn put_key(
            &mut self,
            scope: &str,
            key: &KeyRow,
            now: i64,
        ) -> Result<(), RecordsError> {
            let sql = "INSERT INTO signing_keys (scope, kid, signing, revision, created)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (scope) DO UPDATE SET
                     kid = excluded.kid, signing = excluded.signing,
                     revision = excluded.revision, created = excluded.created";
            sqlx::query(sql)
                .bind(scope)
                .bind(key.kid.as_slice())
                .bind(key.signing.as_slice())
                .bind(key.revision)
                .bind(now)
                .execute(&mut *self.0)
                .await?;
            Ok(())
        }

        async fn restore_key(&mut self, scope: &str, signing: &[u8]) -> Result<(), RecordsError> {
            sqlx::query("UPDATE signing_keys SET signing = $2 WHERE scope = $1")
                .bind(scope)
                .bind(signing)
                .execute(&mut *self.0)
                .await?;
            Ok(())
        }

        async fn remove_key(&mut self, scope: &str) -> Result<(), RecordsError> {
            sqlx::query("DELETE FROM signing_keys WHERE scope = $1")
                .bind(scope)
                .execute(&mut *self.0)
                .await?;
            Ok(())
        }

        async fn add_revoked(
            &mut self,
            scope: &str,
            fingerprint: &[u8; 32],
            revision: i64,
            now: i64,
        ) -> Result<(), RecordsError> {
            let sql = "INSERT INTO revoked_keys (scope, fingerprint, revision, revoked)
                 VALUES ($1, $2, $3, $4)";
            sqlx::query(sql)
                .bind(scope)
                .bind(fingerprint.as_slice())
                .bind(revision)
                .bind(now)
                .execute(&mut *self.0)
                .await?;
            Ok(())
        }

        async fn is_revoked(
            &mut self,
            scope: &str,
            fingerprint: &[u8; 32],
        ) -> Result<bool, RecordsError> {
            let sql = "SELECT revision FROM revoked_keys WHERE scope = $1 AND fingerprint = $2";
            let row = sqlx::query(sql).bind(scope).bind(fingerprint.as_slice());
            Ok(row.fetch_optional(&mut *self.0).await?.is_some())
        }

        async fn last_revoked(&mut self, scope: &str) -> Result<i64, RecordsError> {
            let sql =
                "SELECT coalesce(max(revision), 0) AS revision FROM revoked_keys WHERE scope = $1";
            let row = sqlx::query(sql).bind(scope).fetch_one(&mut *self.0).await?;
            Ok(sqlx::Row::try_get(&row, "revision")?)
        }

        async fn put_operator(&mut self, operator: &OperatorRow) -> Result<bool, RecordsError> {
            let existed = self.remove_operator(&operator.name).await?;
            sqlx::query("INSERT INTO operators (name, password, created) VALUES ($1, $2, $3)")
                .bind(operator.name.as_str())
                .bind(operator.password.as_str())
                .bind(operator.created)
                .execute(&mut *self.0)
                .await?;
            Ok(existed)
        }

        async fn remove_operator(&mut self, name: &str) -> Result<bool, RecordsError> {
            let done = sqlx::query("DELETE FROM operators WHERE name = $1").bind(name);
            Ok(done.execute(&mut *self.0).await?.rows_affected() == 1)
        }

        async fn proof(&mut self) -> Result<Option<Vec<u8>>, RecordsError> {
            let row = sqlx::query("SELECT proof FROM sealing").fetch_optional(&mut *self.0);
            let row = row.await?;
            Ok(row
                .map(|row| sqlx::Row::try_get(&row, "proof"))
                .transpose()?)
        }

        async fn add_proof(&mut self, proof: &[u8]) -> Result<(), RecordsError> {
            sqlx::query("INSERT INTO sealing (id, proof) VALUES (1, $1)")
                .bind(proof)
                .execute(&mut *self.0)
                .await?;
            Ok(())
        }

        async fn commit(self) -> Result<(), RecordsError> {
            Ok(self.0.commit().await?)
        }
    };
}

pub(super) use {reads, writes};
