//! How a topic wakes an async task.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::topic::{TopicId, Wake};

/// One task's bell. A ring that nobody waits for yet is kept; several of them are one.
#[derive(Debug, Default)]
pub struct Bell(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rung: bool,
    waiting: Option<Waker>,
}

impl Bell {
    /// Wakes the task.
    pub fn ring(&self) {
        let mut state = self.lock();
        state.rung = true;
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Ready once for all rings since the last time.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if std::mem::take(&mut state.rung) {
            return Poll::Ready(());
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(&self, _: TopicId) {
        self.ring();
    }
}
