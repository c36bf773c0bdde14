//! One HLS viewer's hold on a stream's segments. They are only made while somebody holds them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::registry::Hub;
use super::source::Source;
use super::stream::Stream;
use crate::media::hls::{Edge, UnixMillis, Window};

/// Dropping it unsubscribes.
pub struct Feed {
    hub: Arc<Hub>,
    stream: Arc<Stream>,
    edge: watch::Receiver<Edge>,
}

impl Feed {
    pub(super) fn new(hub: Arc<Hub>, stream: Arc<Stream>) -> Self {
        let mut state = stream.lock();
        state.feeds += 1;
        if state.window.is_none() {
            let now = unix_millis();
            // A segment lasts longer than a second, so these numbers are never used twice.
            let mut window = Window::new(stream.limits.hls.clone(), now / 1000);
            state.replay(&mut window, now);
            state.window = Some(window);
        }
        drop(state);
        let edge = stream.edge.subscribe();
        Self { hub, stream, edge }
    }

    /// What it subscribes to.
    pub fn source(&self) -> &Source {
        &self.stream.source
    }

    /// Looks at the segments.
    pub fn look<R>(&self, look: impl FnOnce(&mut Window) -> R) -> Option<R> {
        self.stream.lock().window.as_mut().map(look)
    }

    /// Looks at the segments until `look` finds what it wants, for so long at most. Woken only when
    /// a part or a segment is done.
    pub async fn wait<R>(
        &self,
        patience: Duration,
        mut look: impl FnMut(&mut Window) -> Option<R>,
    ) -> Option<R> {
        let mut edge = self.edge.clone();
        let found = async {
            loop {
                edge.mark_unchanged();
                if let Some(found) = self.look(&mut look).flatten() {
                    return Some(found);
                }
                if edge.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(patience, found).await.ok().flatten()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut state = self.stream.lock();
        state.feeds -= 1;
        if state.feeds == 0 {
            state.window = None;
        }
        drop(state);
        self.hub.unsubscribe(&self.stream);
    }
}

pub(super) fn unix_millis() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
