//! To come.

use crate::config::Config;

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It is not written yet.
    #[error("serve is not there yet")]
    ToCome,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// See [`ServeError`].
pub fn run(_: Config) -> Result<(), ServeError> {
    Err(ServeError::ToCome)
}
