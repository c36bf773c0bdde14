//! The live view: server-sent events, one snapshot a second for as long as somebody watches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Console;
use super::logins::Key;
use super::snapshot::Watch;
use crate::http::body::{Body, Live, text};
use crate::token::Query;

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// The longest filter.
const LONGEST_FILTER: usize = 128;

/// Told when the login is over.
const OVER: &[u8] = b"event: over\ndata:\n\n";

struct Events(mpsc::Receiver<Bytes>);

impl Live for Events {
    fn poll_pieces(&mut self, cx: &mut Context<'_>, pieces: &mut VecDeque<Bytes>) -> Poll<bool> {
        self.0.poll_recv(cx).map(|event| {
            let more = event.is_some();
            pieces.extend(event);
            more
        })
    }
}

impl Console {
    pub(super) fn events(self: &Arc<Self>, key: Key, query: &str) -> Response<Body> {
        let filter = Query::parse(query)
            .ok()
            .and_then(|query| query.get("q").ok().flatten().map(str::to_owned))
            .unwrap_or_default();
        if filter.len() > LONGEST_FILTER {
            return text(StatusCode::BAD_REQUEST, "The filter is too long.\n");
        }
        let Some(place) = self.watchers.take() else {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many live views are open; close one.\n",
            );
        };
        // One event waits for its client, and no more are made meanwhile.
        let (sender, receiver) = mpsc::channel(1);
        let console = Arc::clone(self);
        tokio::spawn(async move {
            let _place = place;
            console.watch(key, filter, &sender).await;
        });
        let mut response = Response::new(Body::live(Events(receiver)));
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    async fn watch(&self, key: Key, filter: String, sender: &mpsc::Sender<Bytes>) {
        let mut watch = Watch::new(filter);
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = sender.closed() => return,
                _ = every.tick() => {}
            }
            // A page that is open is in use.
            let login = self.logins.used(key, Instant::now());
            let still = match login {
                Some(login) => self.still(login).await.is_some(),
                None => false,
            };
            let event = match still {
                true => Bytes::from(format!("data: {}\n\n", watch.look(self).await)),
                false => Bytes::from_static(OVER),
            };
            let sent = tokio::time::timeout(self.settings.stall, sender.send(event)).await;
            if !still || !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    }
}
