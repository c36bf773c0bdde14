//! One fan-out thread: an epoll loop over its connections.

mod turn;

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;

use super::connection::{Connection, Written};
use super::inbox::{Command, ReplyTo, Shared};
use super::seat::Seat;
use super::session::Session;
use super::socket::Socket;
use super::{Counters, Limits, Serve};
use crate::hub::topic::{Topic, TopicId, Wake};
use turn::Ways;

const WAKER: Token = Token(usize::MAX);

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(250);

/// How much later than that, so that media wakes the thread for both: a thread with one session
/// spends most of its time on waking up.
const TICK_SLACK: Duration = Duration::from_millis(50);

/// What one client may send before the others get their turn.
const READ_TURN: usize = 16 * 1024;

struct Listened {
    topic: Arc<Topic>,
    keys: Vec<usize>,
}

pub(super) struct Engine<S: Session> {
    limits: Limits,
    serve: Arc<Serve<S>>,
    counters: Arc<Counters>,
    poll: Poll,
    shared: Arc<Shared<S>>,
    connections: Slab<Connection<S>>,
    topics: HashMap<TopicId, Listened>,
    /// Connections whose turn of reading ended before their bytes did.
    unread: Vec<usize>,
    next_id: u64,
    /// Bytes that are not counted yet. All threads count in one place, so each does it once a turn
    /// and not once a write.
    written: u64,
    scratch: Vec<Bytes>,
    ways: Ways,
    /// Whom a topic's news are for; empty between two uses, kept for its memory.
    listening: Vec<usize>,
    stop_at: Option<Instant>,
}

impl<S: Session> Engine<S> {
    pub fn new(limits: Limits, serve: Arc<Serve<S>>, counters: Arc<Counters>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let shared = Arc::new(Shared::new(Waker::new(poll.registry(), WAKER)?));
        Ok(Self {
            limits,
            serve,
            counters,
            poll,
            shared,
            connections: Slab::new(),
            topics: HashMap::new(),
            unread: Vec::new(),
            next_id: 0,
            written: 0,
            scratch: Vec::new(),
            ways: Ways::default(),
            listening: Vec::new(),
            stop_at: None,
        })
    }

    pub fn shared(&self) -> Arc<Shared<S>> {
        Arc::clone(&self.shared)
    }

    pub fn run(mut self) {
        self.ways = Ways::open(&self.limits);
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; READ_TURN];
        let mut next_tick = Instant::now() + TICK;
        loop {
            let patience = match self.unread.is_empty() {
                true => (next_tick + TICK_SLACK).saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            match self.poll.poll(&mut events, Some(patience)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "a fan-out thread can't poll and ends");
                    return;
                }
            }
            let now = Instant::now();
            self.shared.awake();
            self.publish(now);
            self.obey(now);
            for key in std::mem::take(&mut self.unread) {
                self.read(now, key, &mut buffer);
            }
            for event in &events {
                if event.token() == WAKER {
                    continue;
                }
                let Token(key) = event.token();
                if event.is_writable() {
                    self.write(now, key);
                }
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    self.read(now, key, &mut buffer);
                }
            }
            if now >= next_tick {
                next_tick = now + TICK;
                self.tick(now);
            }
            let written = std::mem::take(&mut self.written);
            self.counters.bytes.fetch_add(written, Ordering::Relaxed);
            if self
                .stop_at
                .is_some_and(|at| now >= at || self.connections.is_empty())
            {
                return;
            }
        }
    }

    fn obey(&mut self, now: Instant) {
        for command in self.shared.commands() {
            match command {
                Command::Add(added) => {
                    let (socket, session, read, seat) = *added;
                    self.add(now, socket, session, &read, seat);
                }
                Command::Reply(key, id, reply) => {
                    if let Some(connection) = self.connections.get_mut(key)
                        && connection.id == id
                    {
                        connection.session.reply(now, reply);
                        self.settle(now, key);
                    }
                }
                Command::Review => {
                    for key in self.keys() {
                        self.review(now, key);
                    }
                }
                Command::Survey(wanted, answer) => {
                    let each = self.connections.iter();
                    let standings = each.filter_map(|(_, each)| each.standing(&wanted));
                    // It holds an answer of each thread, so there is room, or nobody waits any more.
                    let _ = answer.try_send(standings.collect());
                }
                Command::Stop(patience) => {
                    // Patience once promised is kept: a later call does not take it back.
                    let at = now + patience;
                    self.stop_at = Some(self.stop_at.map_or(at, |promised| promised.max(at)));
                    for key in self.keys() {
                        self.connections[key].session.stop(now);
                        self.settle(now, key);
                    }
                }
            }
        }
    }

    fn add(&mut self, now: Instant, mut socket: Socket, session: S, read: &[u8], seat: Seat) {
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        if let Err(error) = socket.register(self.poll.registry(), Token(key)) {
            tracing::warn!(%error, "a socket can't be polled and is closed");
            return;
        }
        self.next_id += 1;
        let connection = entry.insert(Connection::new(self.next_id, socket, session, seat));
        self.counters.added.fetch_add(1, Ordering::Relaxed);
        self.counters.sessions.fetch_add(1, Ordering::Relaxed);
        if !read.is_empty() {
            connection.session.receive(now, read);
        }
        if self.stop_at.is_some() {
            connection.session.stop(now);
        }
        // On its way here, that is.
        if connection.session.review(now) {
            connection.end(now + self.limits.ending);
        }
        // TLS may hold text that no event will tell of.
        self.unread.push(key);
        self.settle(now, key);
    }

    fn keys(&self) -> Vec<usize> {
        self.connections.iter().map(|(key, _)| key).collect()
    }

    fn review(&mut self, now: Instant, key: usize) {
        if let Some(connection) = self.connections.get_mut(key)
            && connection.session.review(now)
        {
            connection.end(now + self.limits.ending);
            self.settle(now, key);
        }
    }

    fn read(&mut self, now: Instant, key: usize, buffer: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match connection.socket.read(buffer) {
            Ok(0) => self.remove(key),
            Ok(length) => {
                if !connection.is_closing() {
                    connection.session.receive(now, &buffer[..length]);
                }
                self.unread.push(key);
                self.settle(now, key);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.unread.push(key),
            Err(_) => self.remove(key),
        }
    }

    /// After anything that may have changed a session: hands on its requests, follows its topic,
    /// writes what it has.
    fn settle(&mut self, now: Instant, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        while let Some(request) = connection.session.request() {
            let reply_to = ReplyTo {
                shared: Arc::clone(&self.shared),
                key,
                id: connection.id,
            };
            (self.serve)(reply_to, request);
        }
        let wanted = connection.session.topic().cloned();
        if wanted.as_ref().map(|topic| topic.id()) != connection.topic.map(|(id, _)| id) {
            self.leave(key);
            if let Some(topic) = wanted {
                self.join(key, topic);
            }
        }
        self.write(now, key);
    }

    fn write(&mut self, now: Instant, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match connection.write(now, &mut self.scratch) {
            Ok((written, bytes)) => {
                self.written += bytes as u64;
                if matches!(written, Written::Closed) {
                    self.leave(key);
                }
            }
            Err(_) => {
                self.scratch.clear();
                self.remove(key);
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        for key in self.keys() {
            let connection = &mut self.connections[key];
            let stalled = now
                .checked_sub(self.limits.stall)
                .is_some_and(|then| connection.stands_still_since(then));
            let abandoned = now
                .checked_sub(self.limits.closing)
                .is_some_and(|then| connection.closing_since(then));
            if stalled {
                self.counters.stalled.fetch_add(1, Ordering::Relaxed);
                connection.session.stalled();
            }
            if stalled || abandoned || connection.is_overdue(now) {
                self.remove(key);
            } else if connection.session.deadline().is_some_and(|at| at <= now) {
                connection.session.timeout(now);
                self.settle(now, key);
            }
        }
    }

    fn join(&mut self, key: usize, topic: Arc<Topic>) {
        let id = topic.id();
        let listened = self.topics.entry(id).or_insert_with(|| {
            topic.listen(Arc::clone(&self.shared) as Arc<dyn Wake>);
            Listened {
                topic,
                keys: Vec::new(),
            }
        });
        self.connections[key].topic = Some((id, listened.keys.len()));
        listened.keys.push(key);
    }

    fn leave(&mut self, key: usize) {
        let Some((id, place)) = self.connections[key].topic.take() else {
            return;
        };
        let Some(listened) = self.topics.get_mut(&id) else {
            return;
        };
        listened.keys.swap_remove(place);
        if let Some(moved) = listened.keys.get(place) {
            self.connections[*moved].topic = Some((id, place));
        }
        if listened.keys.is_empty() {
            let me = Arc::clone(&self.shared) as Arc<dyn Wake>;
            listened.topic.leave(&me);
            self.topics.remove(&id);
        }
    }

    fn remove(&mut self, key: usize) {
        self.leave(key);
        self.connections.remove(key);
        self.counters.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S: Session> Drop for Engine<S> {
    fn drop(&mut self) {
        self.shared.close();
    }
}
