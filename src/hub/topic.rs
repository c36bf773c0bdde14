//! How a stream tells the fan-out threads that it has something new, without knowing them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Somebody who wants to know that a topic has news; a fan-out thread, for one.
pub trait Wake: Send + Sync {
    /// Called on the publisher's thread: must not block.
    fn wake(&self, topic: TopicId);
}

/// Unique within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicId(u64);

/// Where somebody stands in what is published on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Of the next entry.
    pub sequence: u64,
    /// Of the init segment that its media plays by.
    pub generation: u64,
}

/// One stream's bell.
pub struct Topic {
    id: TopicId,
    listeners: Mutex<Vec<Arc<dyn Wake>>>,
}

impl Topic {
    pub(super) fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: TopicId(NEXT.fetch_add(1, Ordering::Relaxed)),
            listeners: Mutex::default(),
        })
    }

    /// What [`Wake::wake`] is called with.
    pub fn id(&self) -> TopicId {
        self.id
    }

    /// Adds a listener; it is told of everything that comes after this call returns.
    pub fn listen(&self, listener: Arc<dyn Wake>) {
        self.lock().push(listener);
    }

    /// Takes a listener off again.
    pub fn leave(&self, listener: &Arc<dyn Wake>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, listener));
    }

    pub(super) fn ring(&self) {
        for listener in self.lock().iter() {
            listener.wake(self.id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<dyn Wake>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
