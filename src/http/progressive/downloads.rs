//! Who downloads a stream at the moment, so that a download can be ended from outside.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::hub::bell::Bell;
use crate::token::Grant;

/// The downloads of a process.
#[derive(Default)]
pub struct Downloads(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    next: u64,
    running: HashMap<u64, Running>,
}

struct Running {
    grant: Grant,
    bell: Arc<Bell>,
    ended: Arc<AtomicBool>,
}

/// One of them; dropping it takes it off.
pub(super) struct Download {
    table: Arc<Mutex<Table>>,
    id: u64,
    ended: Arc<AtomicBool>,
}

impl Downloads {
    pub(super) fn begin(&self, grant: Grant, bell: &Arc<Bell>) -> Download {
        let ended = Arc::<AtomicBool>::default();
        let mut table = lock(&self.0);
        let id = table.next;
        table.next += 1;
        let running = Running {
            grant,
            bell: Arc::clone(bell),
            ended: Arc::clone(&ended),
        };
        table.running.insert(id, running);
        Download {
            table: Arc::clone(&self.0),
            id,
            ended,
        }
    }

    /// Ends those whose grant is one of `which`, after the piece that is being written.
    pub fn end(&self, which: impl Fn(&Grant) -> bool) {
        let table = lock(&self.0);
        for running in table.running.values().filter(|it| which(&it.grant)) {
            running.ended.store(true, Ordering::Release);
            running.bell.ring();
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        lock(&self.0).running.len()
    }
}

impl Download {
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        lock(&self.table).running.remove(&self.id);
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
