//! How many sessions a thread has, so that the next one goes where there are fewest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The sessions of one thread, those on their way to it among them.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<AtomicUsize>);

/// One session's, until it is dropped.
pub(super) struct Seat(Seats);

impl Seats {
    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes one more.
    pub fn take(&self) -> Seat {
        self.0.fetch_add(1, Ordering::Relaxed);
        Seat(self.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
