//! What a session holds: whether it has ended, and how it goes on by another grant.

use std::pin::pin;

use super::{Counted, End, Lease, Mark};
use crate::http::admit::Refusal;
use crate::token::{Grant, TokenId};

impl Lease {
    /// Why it has ended, once it has.
    pub fn end(&self) -> Option<End> {
        self.0.end.get().copied()
    }

    /// Waits until it ends.
    pub async fn ended(&self) -> End {
        loop {
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if let Some(end) = self.end() {
                return end;
            }
            changed.await;
        }
    }

    /// Goes on by another grant, which was given after `since`, unless either has ended.
    pub fn renew(
        &self,
        since: Mark,
        (grant, token): (&Grant, Option<TokenId>),
    ) -> Result<(), Refusal> {
        let mut table = self.0.leases.lock();
        let entry = table.entries.get(&self.0.id);
        let Some((client, counted)) = entry.map(|entry| (entry.client, entry.counted)) else {
            return Err(Refusal::Ended(self.end().unwrap_or(End::Withdrawn)));
        };
        table.check(since, grant, client)?;
        let counted = counted.map(|counted| Counted { token, ..counted });
        let leaving = table.make_room(grant, client, counted, Some(self.0.id))?;
        if let Some(mut entry) = table.remove(self.0.id) {
            entry.grant = grant.clone();
            entry.counted = counted;
            table.insert(self.0.id, entry);
        }
        drop(table);
        self.0.leases.replace(leaving);
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let entry = self.0.leases.lock().remove(self.0.id);
        // Outside of the lock, as all that others may wait for.
        drop(entry);
        self.0.tell_left();
    }
}
