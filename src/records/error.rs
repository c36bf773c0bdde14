//! Why records cannot be opened, and why opened ones refuse.

use std::path::PathBuf;

use super::MasterKeyError;

/// Why the records refuse, or cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// The store cannot be reached, is busy for too long, or holds something unreadable.
    #[error(
        "the records cannot be used now ({0}); try again, and look at the server's disk or database if it stays so"
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

/// Why records cannot be opened. Never shows a password or a master key.
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
    /// A file with a secret that is there cannot be read.
    #[error("{}: cannot be read ({reason}); name a file that the server may read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// There is no file, and whoever opens the records only reads.
    #[error("{}: there is no such file; name the one that h5live-server keeps its records in (server.records)", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read or write it, and it holds what must stay secret.
    #[error("{}: its mode is {mode:03o}, but it holds secrets; run chmod 600 on it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// The permission bits found.
        mode: u32,
    },
    /// The database refuses, cannot be reached, or has tables of a newer version than this program.
    #[error("{database}: cannot be used as records ({reason})")]
    Database {
        /// The file, or the URL without its password.
        database: String,
        /// The database's reason.
        reason: String,
    },
    /// No key was read where one is expected.
    #[error("{origin}: {error}")]
    MasterKey {
        /// The file or the environment variable.
        origin: String,
        /// What is expected.
        error: MasterKeyError,
    },
    /// It cannot be known which one is meant.
    #[error("a master key is given by master-key-file and by the environment; keep one of them")]
    TwoMasterKeys,
    /// Signing keys are sealed, and there is nothing to open them with.
    #[error(
        "the signing keys in the records are sealed; give their master key by master-key-file or H5LIVE_MASTER_KEY"
    )]
    Sealed,
    /// Signing keys are not sealed, and whoever opens the records only reads.
    #[error(
        "the signing keys in the records are not sealed; start h5live-server with this master key, or give none here"
    )]
    Unsealed,
    /// Signing keys are sealed with another master key.
    #[error(
        "the signing keys in the records are sealed with another master key; give the one that they were sealed with"
    )]
    OtherMasterKey,
}

impl RecordsError {
    /// The reason alone, as [`OpenError::Database`] wants it.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Unavailable(reason) => reason,
            other => other.to_string(),
        }
    }
}

impl From<sqlx::Error> for RecordsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}
