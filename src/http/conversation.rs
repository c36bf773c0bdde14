//! HTTP as it is spoken on one connection: version 1.1, or 2 where its TLS has agreed on that.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{HeaderValue, STRICT_TRANSPORT_SECURITY};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::app::App;
use super::body::Body;
use super::connection::Connection;
use super::listener::{Handshake, Limits};
use super::stalling::Stalling;

/// Header lines of a request; HTTP/2 counts bytes alone, 32 for each line (RFC 9113, 6.5.2).
const HEADERS: usize = 64;

/// What an HTTP/2 client may send before it is read, a request and all of a connection's: bodies are
/// small here.
const REQUEST_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// What is copied of one HTTP/2 answer before its client takes it.
const ANSWER_BUFFER: usize = 64 * 1024;

/// A connection's client, and what answers it.
#[derive(Clone)]
pub(super) struct Client {
    pub app: Arc<App>,
    pub address: IpAddr,
    /// What browsers are told of HTTPS.
    pub hsts: Option<HeaderValue>,
    /// Its place, for the door that makes it a viewer's.
    pub handshake: Handshake,
}

impl Client {
    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let Self {
            app,
            address,
            hsts,
            handshake: _held,
        } = self;
        let method = request.method().clone();
        let mut response = Arc::clone(&app).answer(address, request).await;
        if let Some(hsts) = hsts {
            response
                .headers_mut()
                .insert(STRICT_TRANSPORT_SECURITY, hsts);
        }
        app.traffic.answered(&method, &response);
        response
    }

    /// Answers until either side ends it.
    pub async fn converse(self, connection: Connection, limits: &Limits) -> hyper::Result<()> {
        if connection.speaks_http2() {
            return self.http2(connection, limits).await;
        }
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(self.handshake.clone());
            let answer = self.clone().answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            // Of an idle connection too: it waits for the next head.
            .header_read_timeout(limits.patience)
            .max_buf_size(limits.head_bytes)
            .max_headers(HEADERS)
            .serve_connection(
                TokioIo::new(Stalling::new(connection, limits.stall)),
                service,
            )
            .with_upgrades()
            .await
    }

    async fn http2(self, connection: Connection, limits: &Limits) -> hyper::Result<()> {
        let activity = Arc::new(Activity::new(Instant::now()));
        let service = service_fn(|request| {
            let turn = Arc::clone(&activity).begin();
            let answer = self.clone().answer(request);
            async move {
                let response = answer.await;
                drop(turn);
                Ok::<_, Infallible>(response)
            }
        });
        // Extended CONNECT is not offered: a WebSocket needs the connection to itself.
        let serving = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.http2_streams)
            .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(REQUEST_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(ANSWER_BUFFER)
            .serve_connection(TokioIo::new(connection), service);
        let mut serving = pin!(serving);
        loop {
            let deadline = activity.deadline(Instant::now(), limits);
            if deadline <= Instant::now() {
                break;
            }
            tokio::select! {
                ended = &mut serving => return ended,
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
        }
        serving.as_mut().graceful_shutdown();
        // An answer that is still being taken may end; whoever takes nothing is left.
        tokio::time::timeout(limits.patience, serving)
            .await
            .unwrap_or(Ok(()))
    }
}

/// Whether an HTTP/2 connection is used.
struct Activity(Mutex<Turns>);

struct Turns {
    running: usize,
    any: bool,
    last: Instant,
}

/// A request that is being answered.
struct Turn(Arc<Activity>);

impl Activity {
    fn new(now: Instant) -> Self {
        Self(Mutex::new(Turns {
            running: 0,
            any: false,
            last: now,
        }))
    }

    fn begin(self: Arc<Self>) -> Turn {
        let mut turns = self.lock();
        turns.running += 1;
        turns.any = true;
        drop(turns);
        Turn(self)
    }

    /// When it is to be looked at again; not later than now where it has idled for too long.
    fn deadline(&self, now: Instant, limits: &Limits) -> Instant {
        let turns = self.lock();
        match (turns.running, turns.any) {
            (0, true) => turns.last + limits.http2_idle,
            (0, false) => turns.last + limits.patience,
            _ => now + limits.http2_idle.max(Duration::from_millis(100)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = self.0.lock();
        turns.running -= 1;
        turns.last = Instant::now();
    }
}
