//! A fresh, empty store for a test, of either kind, and how to open it once more.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use h5live::records::{
    MasterKey, OpenError, Postgres, PostgresUrl, Records, Sqlite, StoreSettings,
};
use h5live::token::{Key, Orga, Scope, Secret, StreamName, UnixSeconds};

use super::postgres::Database;

pub const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

pub enum Store {
    Sqlite(tempfile::TempDir),
    Postgres(Database),
}

impl Store {
    pub fn sqlite() -> Store {
        Store::Sqlite(tempfile::tempdir().unwrap())
    }

    pub fn postgres() -> Store {
        Store::Postgres(Database::new())
    }

    /// Opens it without a master key.
    pub async fn open(&self) -> Arc<dyn Records> {
        self.open_with(None).await.unwrap()
    }

    pub async fn open_with(
        &self,
        master_key: Option<&MasterKey>,
    ) -> Result<Arc<dyn Records>, OpenError> {
        let settings = settings(master_key);
        Ok(match self {
            Store::Sqlite(directory) => {
                Arc::new(Sqlite::open(&sqlite_path(directory.path()), &settings).await?)
            }
            Store::Postgres(database) => {
                let url = PostgresUrl::parse(&database.url()).unwrap();
                Arc::new(Postgres::open(&url, None, &settings).await?)
            }
        })
    }
}

pub fn sqlite_path(directory: &Path) -> PathBuf {
    directory.join("records.sqlite")
}

pub fn settings(master_key: Option<&MasterKey>) -> StoreSettings {
    StoreSettings {
        connections: 2,
        timeout: Duration::from_secs(30),
        master_key: master_key.cloned(),
        ..StoreSettings::default()
    }
}

pub fn stream(name: &str) -> Scope {
    Scope::Stream(StreamName::parse(name).unwrap())
}

pub fn orga(hash: &str) -> Orga {
    Orga::parse(hash).unwrap()
}

pub fn key(secret: &str) -> Key {
    Secret::new(secret).unwrap().key()
}
