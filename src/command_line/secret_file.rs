//! Files that hold one secret.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use super::{Failure, tell};
use crate::token::Secret;

/// A secret has 256 bytes at most, and two more for a line end; one byte more is too long anyway.
const LONGEST_FILE: u64 = 256 + 2 + 1;

/// Reads a secret: the whole file but for one line end, as `h5liveauthsink` reads its `secret-file`.
/// Warns where others than the owner may read it too.
pub(super) fn read(path: &Path) -> Result<Secret, Failure> {
    let failed =
        |error: std::io::Error| Failure(format!("{}: cannot be read ({error})", path.display()));
    let file = File::open(path).map_err(failed)?;
    warn_if_open(&file, path);
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Secret::new(bytes).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

/// Writes a new file of mode 0600; an existing one is never overwritten.
pub(super) fn write(path: &Path, secret: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure(format!(
            "{}: cannot be made ({error}); name a file that does not exist yet",
            path.display()
        ))
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    writeln!(file, "{secret}")
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

#[cfg(unix)]
fn warn_if_open(file: &File, path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let mode = file
        .metadata()
        .map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o044 != 0 {
        tell(format_args!(
            "warning: {} has mode {mode:03o}, so others can read the secret; run chmod 600 on it",
            path.display()
        ));
    }
}

#[cfg(not(unix))]
fn warn_if_open(_: &File, _: &Path) {}
