//! How other threads reach a fan-out thread: commands, topics that rang, and the waker.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use mio::Waker;
use tokio::sync::mpsc;

use super::seat::{Seat, Seats};
use super::session::{Session, Standing};
use super::socket::Socket;
use crate::hub::topic::{TopicId, Wake};

pub(super) enum Command<S: Session> {
    Add(Box<(Socket, S, Bytes, Seat)>),
    Reply(usize, u64, S::Reply),
    /// Sessions may have been ended from outside.
    Review,
    /// How do these sessions stand?
    Survey(Arc<HashSet<u64>>, mpsc::Sender<Vec<Standing>>),
    Stop(Duration),
}

/// What other threads reach of an engine.
pub(super) struct Shared<S: Session> {
    waker: Waker,
    woken: AtomicBool,
    /// None once the thread has ended: what it would not get is dropped, and a socket with it closed.
    commands: Mutex<Option<Vec<Command<S>>>>,
    topics: Mutex<Vec<TopicId>>,
    pub seats: Seats,
}

impl<S: Session> Shared<S> {
    pub fn new(waker: Waker) -> Self {
        Self {
            waker,
            woken: AtomicBool::new(false),
            commands: Mutex::new(Some(Vec::new())),
            topics: Mutex::default(),
            seats: Seats::default(),
        }
    }

    /// The thread is awake: what comes from now on has to wake it again.
    pub fn awake(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// Takes the topics that have news.
    pub fn rung(&self) -> Vec<TopicId> {
        std::mem::take(&mut *lock(&self.topics))
    }

    /// Takes what is to be done.
    pub fn commands(&self) -> Vec<Command<S>> {
        lock(&self.commands).replace(Vec::new()).unwrap_or_default()
    }

    /// The thread ends.
    pub fn close(&self) {
        let left = lock(&self.commands).take();
        drop(left);
    }

    pub fn command(&self, command: Command<S>) {
        if let Some(commands) = lock(&self.commands).as_mut() {
            commands.push(command);
            self.call();
        }
    }

    fn call(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            // It fails only where the eventfd is gone, and with it the thread.
            let _ = self.waker.wake();
        }
    }
}

impl<S: Session> Wake for Shared<S> {
    fn wake(&self, topic: TopicId) {
        let mut topics = lock(&self.topics);
        if !topics.contains(&topic) {
            topics.push(topic);
        }
        drop(topics);
        self.call();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the answer to a session's request goes; an answer to a session that is gone is dropped.
pub struct ReplyTo<S: Session> {
    pub(super) shared: Arc<Shared<S>>,
    pub(super) key: usize,
    pub(super) id: u64,
}

impl<S: Session> ReplyTo<S> {
    /// Answers.
    pub fn send(self, reply: S::Reply) {
        self.shared
            .command(Command::Reply(self.key, self.id, reply));
    }
}
