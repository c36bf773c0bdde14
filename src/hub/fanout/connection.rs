//! One session and its socket: what is written, what is left, and since when it stands still.

use std::collections::{HashSet, VecDeque};
use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

use bytes::{Buf, Bytes};

use super::seat::Seat;
use super::session::{Session, Standing};
use super::socket::Socket;
use super::step::Step;
use crate::hub::topic::TopicId;

/// The most buffers of one write; the kernel's own limit is 1024 (IOV_MAX).
const SLICES: usize = 64;

pub(super) struct Connection<S> {
    pub id: u64,
    pub socket: Socket,
    pub session: S,
    _seat: Seat,
    /// Where it stands among the sessions of its topic.
    pub topic: Option<(TopicId, usize)>,
    /// What the session gave out and the socket has not taken.
    unwritten: VecDeque<Bytes>,
    blocked_since: Option<Instant>,
    closing_since: Option<Instant>,
    /// When an ended session's socket is closed, whatever is left to say.
    ends_at: Option<Instant>,
}

/// How a turn of writing ended.
pub(super) enum Written {
    /// There is nothing to do until something new comes.
    All,
    /// The socket takes no more for now.
    Blocked,
    /// The session has said everything and our side is closed.
    Closed,
}

impl<S: Session> Connection<S> {
    pub fn new(id: u64, socket: Socket, session: S, seat: Seat) -> Self {
        Self {
            id,
            socket,
            session,
            _seat: seat,
            topic: None,
            unwritten: VecDeque::new(),
            blocked_since: None,
            closing_since: None,
            ends_at: None,
        }
    }

    /// Writes until the session has no more or the socket would block. `scratch` is empty before and
    /// after; it is handed in so that no turn allocates. Returns the bytes written too.
    pub fn write(
        &mut self,
        now: Instant,
        scratch: &mut Vec<Bytes>,
    ) -> io::Result<(Written, usize)> {
        let mut total = 0;
        loop {
            if !self.unwritten.is_empty() {
                let taken = self.write_unwritten(now)?;
                total += taken;
                if self.blocked_since.is_some() {
                    return Ok((Written::Blocked, total));
                }
            }
            let more = self.session.output(now, scratch);
            let taken = self.write_fresh(now, scratch)?;
            total += taken;
            if self.blocked_since.is_some() {
                return Ok((Written::Blocked, total));
            }
            if more {
                continue;
            }
            if self.session.finished() && self.closing_since.is_none() {
                self.closing_since = Some(now);
                self.socket.close()?;
            }
            let end = match self.closing_since {
                Some(_) => Written::Closed,
                None => Written::All,
            };
            return Ok((end, total));
        }
    }

    /// Takes what comes next out of the session, where that is one piece with nothing before it and nothing
    /// behind. Otherwise [`Connection::write`] writes what there is. `step`: what another has been given, and
    /// after this what it has been given itself.
    pub fn piece(
        &mut self,
        now: Instant,
        step: &mut Option<Step>,
        scratch: &mut Vec<Bytes>,
    ) -> Option<Bytes> {
        if !self.unwritten.is_empty() || self.closing_since.is_some() {
            return None;
        }
        let from = self.session.cursor();
        if let Some(step) = step.as_ref().filter(|step| Some(step.from) == from) {
            self.session.pass(step.to);
            return Some(step.piece.clone());
        }
        let more = self.session.output(now, scratch);
        if more || self.session.finished() || scratch.len() != 1 {
            self.unwritten.extend(scratch.drain(..));
            return None;
        }
        let piece = scratch.pop()?;
        *step = Step::new(from, self.session.cursor(), &piece);
        Some(piece)
    }

    /// Writes a [`Connection::piece`]; returns how much of it.
    pub fn write_piece(
        &mut self,
        now: Instant,
        piece: Bytes,
        scratch: &mut Vec<Bytes>,
    ) -> io::Result<usize> {
        scratch.push(piece);
        self.write_fresh(now, scratch)
    }

    /// How much the socket has taken of a [`Connection::piece`], sealed where that is wanted.
    pub fn sent(&mut self, now: Instant, mut piece: Bytes, taken: usize) {
        if taken < piece.len() {
            piece.advance(taken);
            match self.socket.bare() {
                Some(_) => self.unwritten.push_front(piece),
                None => self.socket.keep(&piece),
            }
            self.blocked_since.get_or_insert(now);
        }
    }

    /// The common case: what came new is taken whole, and nothing is stored.
    fn write_fresh(&mut self, now: Instant, fresh: &mut Vec<Bytes>) -> io::Result<usize> {
        let mut total = 0;
        let mut first = 0;
        while first < fresh.len() {
            match write_slices(&mut self.socket, &fresh[first..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(mut taken) => {
                    total += taken;
                    self.blocked_since = None;
                    while let Some(chunk) = fresh.get_mut(first).filter(|_| taken > 0) {
                        let part = taken.min(chunk.len());
                        chunk.advance(part);
                        taken -= part;
                        if chunk.is_empty() {
                            first += 1;
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked_since.get_or_insert(now);
                    self.unwritten.extend(fresh.drain(first..));
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        fresh.clear();
        self.flush(now)?;
        Ok(total)
    }

    fn write_unwritten(&mut self, now: Instant) -> io::Result<usize> {
        let mut left: Vec<Bytes> = std::mem::take(&mut self.unwritten).into();
        self.write_fresh(now, &mut left)
    }

    fn flush(&mut self, now: Instant) -> io::Result<()> {
        match self.socket.flush() {
            Ok(()) => {
                if self.unwritten.is_empty() {
                    self.blocked_since = None;
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked_since.get_or_insert(now);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Its session was ended from outside: nothing but the message that has begun to be written goes
    /// out before its goodbye, and not after `at`.
    pub fn end(&mut self, at: Instant) {
        // Once: a second time it would take the goodbye away.
        if self.ends_at.is_none() {
            self.unwritten.truncate(1);
            self.ends_at = Some(at);
        }
    }

    /// Whether it was ended, and its goodbye has not gone out in time.
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.closing_since.is_none() && self.ends_at.is_some_and(|at| at <= now)
    }

    /// Whether its socket has waited for room since before `then`.
    pub fn stands_still_since(&self, then: Instant) -> bool {
        self.blocked_since.is_some_and(|since| since <= then)
    }

    /// Whether it was closed before `then` and the client has not answered.
    pub fn closing_since(&self, then: Instant) -> bool {
        self.closing_since.is_some_and(|since| since <= then)
    }

    /// How its session stands, with what has not left its socket.
    pub fn standing(&self, wanted: &HashSet<u64>) -> Option<Standing> {
        let unwritten: usize = self.unwritten.iter().map(Bytes::len).sum();
        let here = unwritten + self.socket.held();
        self.session.standing(wanted).map(|standing| Standing {
            behind: standing.behind + here as u64,
            ..standing
        })
    }

    /// Whether our side is closed.
    pub fn is_closing(&self) -> bool {
        self.closing_since.is_some()
    }

    /// Whether writing must wait for the socket.
    pub fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }
}

fn write_slices(socket: &mut Socket, chunks: &[Bytes]) -> io::Result<usize> {
    if let [one] = chunks {
        // A fragment to one who keeps up; the array below costs more than to look for that.
        return socket.write(&[IoSlice::new(one)]);
    }
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut count = 0;
    for (slice, chunk) in slices.iter_mut().zip(chunks) {
        *slice = IoSlice::new(chunk);
        count += 1;
    }
    socket.write(&slices[..count])
}
