//! What a fan-out thread asks of a session. Pure.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::hub::topic::{Cursor, Topic};

/// How far behind a session is ([`Fanout::survey`](super::Fanout::survey)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// By which it was asked for.
    pub id: u64,
    /// Bytes that its client still has to take, as far as its socket does not hold them already.
    pub behind: u64,
    /// How often it skipped.
    pub skips: u64,
}

/// A client's side of a protocol as a state machine without a socket: the client's bytes and the
/// time go in; bytes to write and the next deadline come out.
pub trait Session: Send + 'static {
    /// What it can't decide by itself, because it takes a look-up (a fresh authorisation).
    type Request: Send + 'static;
    /// The answer to that.
    type Reply: Send + 'static;

    /// The client sent bytes.
    fn receive(&mut self, now: Instant, bytes: &[u8]);

    /// A request that it made was answered.
    fn reply(&mut self, now: Instant, reply: Self::Reply);

    /// The next request that it makes.
    fn request(&mut self) -> Option<Self::Request>;

    /// Appends what to write next. Called again after that is written if it returns true.
    fn output(&mut self, now: Instant, out: &mut Vec<Bytes>) -> bool;

    /// Where it stands, as long as all who stand there are to be given the same next, each once, and it has nothing
    /// to say besides. So they need not all be asked.
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    /// It was given what [`Session::output`] has given another with the same cursor, who came to `next` by it.
    fn pass(&mut self, _next: Cursor) {}

    /// What rings when [`Session::output`] may have something new; may change after any call.
    fn topic(&self) -> Option<&Arc<Topic>>;

    /// When [`Session::timeout`] wants to be called, give or take half a second.
    fn deadline(&self) -> Option<Instant>;

    /// Its deadline has passed.
    fn timeout(&mut self, now: Instant);

    /// The server stops: say goodbye.
    fn stop(&mut self, now: Instant);

    /// Something outside may have ended it ([`Fanout::review`](super::Fanout::review)): true where it
    /// has, and says goodbye. Media that it gave out and that is not written yet is then dropped.
    fn review(&mut self, _: Instant) -> bool {
        false
    }

    /// Its client has taken nothing for too long: the socket is closed without a word.
    fn stalled(&mut self) {}

    /// How it stands, where it is one of `wanted`; `behind` without what it gave out.
    fn standing(&self, _wanted: &HashSet<u64>) -> Option<Standing> {
        None
    }

    /// Whether everything is said; the socket is closed once what it gave out is written.
    fn finished(&self) -> bool;
}
