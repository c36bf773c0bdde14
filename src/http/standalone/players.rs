//! Those who play one stream of a listener, for whoever has to end their sessions.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use crate::http::app::App;
use crate::token::{Scope, StreamName, Withdrawal};

/// Those who play one stream. Holds no door open.
pub struct Players {
    app: Weak<App>,
    stream: StreamName,
}

impl Players {
    pub(super) fn of(app: &Arc<App>, stream: StreamName) -> Self {
        Self {
            app: Arc::downgrade(app),
            stream,
        }
    }

    /// The secrets that they were let in by: whose, and which revision.
    pub fn secrets(&self) -> HashSet<(Scope, u64)> {
        let app = self.app.upgrade();
        app.map_or_else(HashSet::new, |app| app.leases.secrets(Some(&self.stream)))
    }

    /// Ends those of them that a withdrawal is about; returns how many.
    pub fn withdraw(&self, withdrawal: &Withdrawal) -> usize {
        let withdrawal = withdrawal.clone().on(self.stream.clone());
        let app = self.app.upgrade();
        app.map_or(0, |app| app.withdraw(&withdrawal))
    }
}
