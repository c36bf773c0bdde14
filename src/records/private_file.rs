//! Files that hold a secret: nobody but their owner may read them.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::OpenError;

/// No secret that is read from a file is longer.
const LONGEST: u64 = 4096;

/// Makes the file with mode 0600 where there is none, before another would make it with the umask's;
/// one that others may read or write is refused.
pub(super) fn make(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check(path),
        Err(error) => Err(OpenError::File {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// Refuses where there is none, or others may read or write it.
pub(super) fn find(path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing {
            path: path.to_owned(),
        });
    }
    check(path)
}

/// The text in a file that nobody but its owner may read or write, without one line end.
///
/// # Errors
/// [`OpenError::Unreadable`] and [`OpenError::Mode`].
pub fn read(path: &Path) -> Result<String, OpenError> {
    let failed = |error: std::io::Error| OpenError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let file = File::open(path).map_err(failed)?;
    check(path)?;
    let mut text = String::new();
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(unix)]
fn check(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = std::fs::metadata(path).map_err(|error| OpenError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(OpenError::Mode {
        path: path.to_owned(),
        mode,
    })
}

#[cfg(not(unix))]
fn check(_: &Path) -> Result<(), OpenError> {
    Ok(())
}
