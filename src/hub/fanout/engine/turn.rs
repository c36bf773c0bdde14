//! A turn of writing: what is new on a topic goes to all who follow it.

use std::io::{self, ErrorKind};
use std::time::Instant;

use bytes::Bytes;

use super::Engine;
use crate::hub::fanout::batch::Batch;
use crate::hub::fanout::pages::{self, Given, Pages};
use crate::hub::fanout::room::Room;
use crate::hub::fanout::session::Session;
use crate::hub::fanout::step::Step;
use crate::hub::fanout::{Limits, Means};

/// How many are given what is new before it is looked who has come meanwhile: with TLS a keyframe to a thousand
/// takes longer than a frame lasts.
const SERVED_TURN: usize = 64;

/// How one thread gets bytes into plain sockets, besides by write().
#[derive(Default)]
pub(super) struct Ways {
    batch: Option<Batch>,
    pages: Option<Pages>,
    /// Of what is sealed for the batch.
    room: Room,
}

impl Ways {
    /// What the operator wants and the system grants.
    pub fn open(limits: &Limits) -> Self {
        let wants_batch = limits.means != Means::Epoll;
        Self {
            batch: wants_batch.then(Batch::new).and_then(Result::ok),
            pages: limits.pages.then(Pages::new).and_then(Result::ok),
            room: Room::default(),
        }
    }
}

impl<S: Session> Engine<S> {
    /// Media first: it is what everybody waits for. Who comes meanwhile does not wait for the end of it.
    pub(super) fn publish(&mut self, mut now: Instant) {
        let mut keys = std::mem::take(&mut self.listening);
        let mut ways = std::mem::take(&mut self.ways);
        let mut served = 0_usize;
        for topic in self.shared.rung() {
            // A copy, because connections come and go while we walk: a key may be nobody's by then, or a
            // newcomer's, whom nothing new is for.
            if let Some(listened) = self.topics.get(&topic) {
                keys.extend_from_slice(&listened.keys);
            }
            let mut step = None;
            let are_many = keys.len() >= pages::SOCKETS;
            for key in keys.drain(..) {
                self.publish_to(now, key, &mut step, &mut ways, are_many);
                served += 1;
                if served.is_multiple_of(SERVED_TURN) {
                    self.send(now, &mut ways);
                    now = Instant::now();
                    self.obey(now);
                }
            }
            if let Some(Err(_)) = ways.pages.as_mut().map(Pages::clear) {
                ways.pages = None;
            }
        }
        self.send(now, &mut ways);
        self.listening = keys;
        self.ways = ways;
    }

    fn publish_to(
        &mut self,
        now: Instant,
        key: usize,
        step: &mut Option<Step>,
        ways: &mut Ways,
        are_many: bool,
    ) {
        let connection = self.connections.get_mut(key);
        let Some(connection) = connection.filter(|connection| !connection.is_blocked()) else {
            return;
        };
        let Some(piece) = connection.piece(now, step, &mut self.scratch) else {
            return self.write(now, key);
        };
        if let Some(socket) = connection.socket.bare() {
            if let Some(pages) = &mut ways.pages
                && are_many
                && Pages::suit(piece.len())
            {
                match pages.give(&piece, socket) {
                    Given::Taken(result) => return self.took(now, key, piece, result),
                    Given::Refused => ways.pages = None,
                }
            }
            if let Some(batch) = &mut ways.batch {
                batch.push(key, socket, piece);
                if batch.is_full() {
                    self.send(now, ways);
                }
                return;
            }
        } else if let Some(batch) = &mut ways.batch {
            match connection.socket.seal(&piece, &mut ways.room) {
                Ok(Some(record)) => {
                    batch.push(key, connection.socket.tcp(), record);
                    if batch.is_full() || ways.room.is_full() {
                        self.send(now, ways);
                    }
                    return;
                }
                Ok(None) => {}
                Err(_) => return self.remove(key),
            }
        }
        match connection.write_piece(now, piece, &mut self.scratch) {
            Ok(bytes) => self.written += bytes as u64,
            Err(_) => {
                self.scratch.clear();
                self.remove(key);
            }
        }
    }

    fn send(&mut self, now: Instant, ways: &mut Ways) {
        let Some(batch) = &mut ways.batch else {
            return;
        };
        batch.send(|key, piece, result| self.took(now, key, piece, result));
        ways.room.clear();
        if !batch.works() {
            ways.batch = None;
        }
    }

    fn took(&mut self, now: Instant, key: usize, piece: Bytes, result: io::Result<usize>) {
        let taken = match result {
            Ok(taken) => taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return self.remove(key),
        };
        self.written += taken as u64;
        // Who has taken all is as it was, and need not be looked at.
        if taken < piece.len()
            && let Some(connection) = self.connections.get_mut(key)
        {
            connection.sent(now, piece, taken);
        }
    }
}
