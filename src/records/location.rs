//! Where records are kept, as it is written in a configuration or a property, and how they are opened there.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    MasterKey, OpenError, Postgres, PostgresUrl, Records, Sqlite, StoreSettings, private_file,
};

/// The environment variable with the master key, where no file holds it.
pub const MASTER_KEY: &str = "H5LIVE_MASTER_KEY";

/// Where the records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsLocation {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which servers may share.
    Postgres {
        /// Where it is, perhaps with the password.
        url: PostgresUrl,
        /// `records-password-file`: holds the password, where the URL does not.
        password_file: Option<PathBuf>,
    },
}

impl RecordsLocation {
    /// Reads a path or a URL; a relative path counts from `directory`.
    ///
    /// # Errors
    /// What is wrong and what to write instead; never the text, which may hold a password.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, String> {
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            let url = PostgresUrl::parse(text).map_err(|error| error.to_string())?;
            return Ok(Self::Postgres {
                url,
                password_file: None,
            });
        }
        let path = text.strip_prefix("sqlite://").unwrap_or(text);
        if path.contains("://") {
            return Err("this kind of URL is not known. Write a path, sqlite:// and a path, or postgres:// and a database.".into());
        }
        if path.is_empty() || path.contains(['\0', '?', '#']) || path.starts_with(':') {
            return Err("this is not the path of a file. Write e.g. \"h5live.sqlite\".".into());
        }
        Ok(Self::Sqlite(directory.join(path)))
    }

    /// Names the file that holds the database's password.
    ///
    /// # Errors
    /// What is wrong with naming one here, and what to do instead.
    pub fn set_password_file(&mut self, path: PathBuf) -> Result<(), &'static str> {
        match self {
            Self::Sqlite(_) => Err("is for PostgreSQL. Remove it, or name a database in records."),
            Self::Postgres { url, .. } if url.has_password() => {
                Err("is given beside a password in records. Keep one of the two.")
            }
            Self::Postgres { password_file, .. } => {
                *password_file = Some(path);
                Ok(())
            }
        }
    }

    /// Opens the records; an SQLite file is made where there is none. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(&self, settings: &StoreSettings) -> Result<Arc<dyn Records>, OpenError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(Sqlite::open(path, settings).await?),
            Self::Postgres { url, password_file } => {
                let password = password_file.as_deref().map(private_file::read);
                let password = password.transpose()?;
                Arc::new(Postgres::open(url, password.as_deref(), settings).await?)
            }
        })
    }
}

/// The path, or the URL without its password.
impl fmt::Display for RecordsLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres { url, .. } => url.fmt(f),
        }
    }
}

/// The master key from the file, or else from the environment; `None` where neither gives one.
///
/// # Errors
/// It can't be read, or both give one.
pub fn master_key(file: Option<&Path>) -> Result<Option<MasterKey>, OpenError> {
    let (text, origin) = match (file, env::var_os(MASTER_KEY)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(OpenError::TwoMasterKeys),
        (Some(path), None) => (private_file::read(path)?, path.display().to_string()),
        // What is not UTF-8 is no base64 either way.
        (None, Some(text)) => (text.to_string_lossy().into_owned(), MASTER_KEY.to_owned()),
    };
    text.parse()
        .map(Some)
        .map_err(|error| OpenError::MasterKey { origin, error })
}
