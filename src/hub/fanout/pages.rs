//! A large piece in pages of a pipe. Each socket is given these pages and no copy of its own (tee(2), splice(2)):
//! a keyframe to a thousand takes a quarter less time, and viewers who are slow to take it hold no memory of their own.
//! `docs/performance.md` says what it saves.
//!
//! splice() knows no MSG_NOSIGNAL: a client that has gone raises SIGPIPE. Rust's own programs ignore it from their
//! start; an element is in programs that may not, so it does without.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};

use bytes::Bytes;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice, tee};

/// Fewer bytes are copied as fast as handed on.
const LEAST: usize = 32 * 1024;

/// What a pipe can hold. A user's pipes may have 64 MiB in all (pipe(7), `pipe-user-pages-soft`), and each thread
/// has two.
const MOST: usize = 512 * 1024;

/// For fewer sockets it is not worth filling the pipe.
pub(super) const SOCKETS: usize = 8;

/// One thread's pipes.
pub(super) struct Pages {
    /// Holds `piece`.
    full: Pipe,
    piece: Bytes,
    /// Holds what one socket is given.
    hand: Pipe,
    nowhere: File,
    /// Nobody knows what is in the pipes.
    broken: bool,
}

struct Pipe {
    exit: OwnedFd,
    entry: File,
}

/// What came of it.
pub(super) enum Given {
    /// What the socket took.
    Taken(io::Result<usize>),
    /// The kernel hands nothing on: the piece is to be written.
    Refused,
}

impl Pages {
    /// Fails where the system grants no such pipes.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            full: Pipe::new()?,
            piece: Bytes::new(),
            hand: Pipe::new()?,
            nowhere: File::options().write(true).open("/dev/null")?,
            broken: false,
        })
    }

    /// Whether pieces of this length are handed on.
    pub fn suit(length: usize) -> bool {
        (LEAST..=MOST).contains(&length)
    }

    /// Gives a socket as much of a piece as it takes now. Once refused, always refused.
    pub fn give(&mut self, piece: &Bytes, socket: impl AsFd) -> Given {
        let held = match self.broken {
            false => self.hold(piece),
            true => Err(ErrorKind::Unsupported.into()),
        };
        match held.and_then(|()| self.hand_on(piece.len(), socket)) {
            Ok(result) => Given::Taken(result),
            Err(error) => {
                tracing::debug!(%error, "pieces are written from now on, and not handed on");
                self.broken = true;
                Given::Refused
            }
        }
    }

    /// Lets go of the piece.
    pub fn clear(&mut self) -> io::Result<()> {
        let length = std::mem::take(&mut self.piece).len();
        self.full.empty(length, &self.nowhere)
    }

    fn hold(&mut self, piece: &Bytes) -> io::Result<()> {
        if self.piece.as_ptr() == piece.as_ptr() && self.piece.len() == piece.len() {
            return Ok(());
        }
        self.clear()?;
        // Kept, so that no other piece can have its address.
        self.piece = piece.clone();
        whole(self.full.entry.write(piece)?, piece.len())
    }

    /// The inner result is the socket's own. Of a piece of which it was given anything there is always that.
    fn hand_on(&mut self, length: usize, socket: impl AsFd) -> io::Result<io::Result<usize>> {
        let flags = SpliceFlags::NONBLOCK;
        let held = tee(&self.full.exit, &self.hand.entry, length, flags)?;
        whole(held, length)?;
        let mut taken = 0;
        let trouble = loop {
            let left = length - taken;
            if left == 0 {
                return Ok(Ok(taken));
            }
            match splice(&self.hand.exit, None, &socket, None, left, flags) {
                Ok(0) => break Errno::PIPE,
                Ok(more) => taken += more,
                Err(Errno::INTR) => {}
                Err(error) => break error,
            }
        };
        // The next socket must not be given what this one has left.
        let emptied = self.hand.empty(length - taken, &self.nowhere);
        self.broken |= emptied.is_err();
        match (taken, trouble) {
            (0, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Err(trouble.into()),
            (0, _) => Ok(Err(trouble.into())),
            _ => Ok(Ok(taken)),
        }
    }
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (exit, entry) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        whole(fcntl_setpipe_size(&entry, MOST)?.min(MOST), MOST)?;
        Ok(Self {
            exit,
            entry: entry.into(),
        })
    }

    fn empty(&self, mut length: usize, nowhere: &File) -> io::Result<()> {
        while length > 0 {
            match splice(
                &self.exit,
                None,
                nowhere,
                None,
                length,
                SpliceFlags::NONBLOCK,
            ) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(emptied) => length -= emptied,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn whole(part: usize, length: usize) -> io::Result<()> {
    match part == length {
        true => Ok(()),
        false => Err(ErrorKind::WriteZero.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use bytes::Buf;
    use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = listener.accept().unwrap().0;
        near.set_nonblocking(true).unwrap();
        (near, far)
    }

    fn piece(seed: usize, length: usize) -> Bytes {
        (0..length).map(|i| (seed + i * i / 7) as u8).collect()
    }

    fn taken(given: Given) -> io::Result<usize> {
        match given {
            Given::Taken(result) => result,
            Given::Refused => panic!("this kernel hands pages on"),
        }
    }

    #[test]
    fn each_socket_is_given_the_piece_and_nothing_of_another() {
        let mut pages = Pages::new().unwrap();
        let pieces = [piece(1, 40_001), piece(2, MOST), piece(3, LEAST)];
        let mut readers = Vec::new();
        for _ in 0..3 {
            let (near, mut far) = pair();
            let expected = pieces.concat();
            let reader = std::thread::spawn(move || {
                let mut all = Vec::new();
                far.read_to_end(&mut all).unwrap();
                assert!(all == expected);
            });
            readers.push((near, reader));
        }
        for piece in &pieces {
            for (near, _) in &readers {
                let mut rest = piece.clone();
                let at_first = taken(pages.give(piece, near));
                rest.advance(at_first.unwrap_or(0));
                // What has found no room.
                near.set_nonblocking(false).unwrap();
                (&*near).write_all(&rest).unwrap();
                near.set_nonblocking(true).unwrap();
            }
        }
        for (near, reader) in readers {
            drop(near);
            reader.join().unwrap();
        }
    }

    #[test]
    fn who_is_full_or_gone_leaves_nothing_to_the_next() {
        let mut pages = Pages::new().unwrap();
        let piece = piece(4, 100_000);
        let (full, _kept) = pair();
        let error = loop {
            if let Err(error) = taken(pages.give(&piece, &full)) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);

        let (gone, far) = pair();
        drop(far);
        let error = loop {
            if let Err(error) = taken(pages.give(&piece, &gone)) {
                break error;
            }
        };
        let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(kinds.contains(&error.kind()), "{error}");

        let (near, mut far) = pair();
        let length = taken(pages.give(&piece, &near)).unwrap();
        drop(near);
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        assert!(all == piece[..length]);
    }

    #[test]
    fn what_takes_no_pages_is_written_to() {
        let mut pages = Pages::new().unwrap();
        // splice() knows no files that are only added to.
        let file = memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
        fcntl_setfl(&file, OFlags::APPEND).unwrap();
        let piece = piece(5, LEAST);
        assert!(matches!(pages.give(&piece, &file), Given::Refused));
        let (near, _far) = pair();
        assert!(matches!(pages.give(&piece, &near), Given::Refused));
    }
}
