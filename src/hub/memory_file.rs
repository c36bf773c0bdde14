//! Bytes in files that exist in memory only, so that the kernel can hand their pages on to sockets instead
//! of copying them for each (memfd_create(2), sendfile(2)).
//!
//! Whoever has such bytes need not know: they are [`Bytes`] like all others. Who writes to a socket asks
//! whether what it is about to write is out of such a file. `docs/performance.md` says what it saves.
//!
//! sendfile() knows no MSG_NOSIGNAL: a client that has gone raises SIGPIPE. Rust's own programs ignore it from
//! their start; an element is in programs that may not, so it gathers nothing.
// The compiler can't be told that nobody changes the file while its memory is borrowed; its seals see to that.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use bytes::Bytes;
use memmap2::Mmap;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create, sendfile};
use rustix::io::Errno;

/// Fewer bytes are copied as fast as handed on.
const LEAST: usize = 32 * 1024;

/// Files at once. Each is a descriptor, and sockets need those more.
const MOST: usize = 1024;

/// All files, by where their memory begins.
static KNOWN: RwLock<BTreeMap<usize, Weak<MemoryFile>>> = RwLock::new(BTreeMap::new());

/// Whether this kernel hands nothing on.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// A file that nobody can change any more, and its memory.
#[derive(Debug)]
struct MemoryFile {
    file: File,
    memory: Mmap,
}

/// What keeps the memory of [`Bytes`].
struct Owner(Arc<MemoryFile>);

/// A stretch of a file.
#[derive(Debug)]
pub struct Stretch {
    file: Arc<MemoryFile>,
    offset: u64,
    length: usize,
}

/// Puts pieces together in a file of their own. None where they are few bytes, where there are many files
/// already, or where the kernel makes none.
pub fn gather(pieces: &[Bytes]) -> Option<Bytes> {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner).len();
    if length < LEAST || known >= MOST || REFUSED.load(Ordering::Relaxed) {
        return None;
    }
    let made = MemoryFile::make(pieces);
    made.inspect_err(|error| tracing::debug!(%error, "a segment stays where it was"))
        .ok()
        .map(|file| Bytes::from_owner(Owner(file)))
}

impl MemoryFile {
    fn make(pieces: &[Bytes]) -> io::Result<Arc<Self>> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("h5live-segment", flags)?);
        for piece in pieces {
            file.write_all(piece)?;
        }
        let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&file, all)?;
        // SAFETY: the seals keep everybody from writing to the file and from cutting it off, this process too.
        let memory = unsafe { Mmap::map(&file) }?;
        let start = memory.as_ptr() as usize;
        let made = Arc::new(Self { file, memory });
        KNOWN
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(start, Arc::downgrade(&made));
        Ok(made)
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        // Before the memory is free, so that no other file can be there yet.
        let start = self.memory.as_ptr() as usize;
        KNOWN
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&start);
    }
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0.memory
    }
}

impl Stretch {
    /// Where these bytes are a stretch of a file, and worth to be handed on.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < LEAST || REFUSED.load(Ordering::Relaxed) {
            return None;
        }
        let start = bytes.as_ptr() as usize;
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        let (begin, file) = known.range(..=start).next_back()?;
        let (offset, file) = (start - begin, file.upgrade()?);
        (offset + bytes.len() <= file.memory.len()).then_some(Self {
            offset: offset as u64,
            length: bytes.len(),
            file,
        })
    }

    /// Hands on as much as the socket takes now. Fails with [`io::ErrorKind::Unsupported`], now and from now
    /// on, where the kernel does no such thing: then the bytes are to be written.
    pub fn hand_on(&self, socket: impl AsFd) -> io::Result<usize> {
        let mut offset = self.offset;
        let handed = sendfile(socket, &self.file.file, Some(&mut offset), self.length);
        handed.map_err(|error| match error {
            Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => {
                REFUSED.store(true, Ordering::Relaxed);
                io::ErrorKind::Unsupported.into()
            }
            error => error.into(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_file_are_found_again_and_others_are_not() {
        let pieces =
            [3, 5, 7].map(|filler: u8| Bytes::from(vec![filler; 20_000 * usize::from(filler)]));
        let gathered = gather(&pieces).unwrap();
        assert_eq!(gathered, pieces.concat());
        let inner = gathered.slice(60_000..160_000);
        let stretch = Stretch::of(&inner).unwrap();
        assert_eq!((stretch.offset, stretch.length), (60_000, 100_000));
        assert!(Stretch::of(&gathered.slice(..100)).is_none());
        assert!(Stretch::of(&vec![0; 100_000]).is_none());

        // Its memory stays for as long as anybody may still hand it on.
        let start = gathered.as_ptr() as usize;
        drop((gathered, inner));
        assert!(KNOWN.read().unwrap().contains_key(&start));
        drop(stretch);
        assert!(!KNOWN.read().unwrap().contains_key(&start));
    }
}
