//! A listener beside the doors whose answers are ready at once: it shares no bound with viewers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::body::{Body, text};
use super::framing;
use super::listener;

/// Bounds of such a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// How long a connection may last, its one request and answer together.
    pub patience: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
}

/// Answers until the future is dropped, one request a connection.
pub async fn serve(
    socket: TcpListener,
    limits: Limits,
    answer: impl Fn(&Request<Incoming>) -> Response<Body> + Send + Sync + 'static,
) -> Infallible {
    let answer = Arc::new(answer);
    let connections = limits.connections;
    listener::accept(socket, connections, move |tcp, peer, place| {
        let answer = Arc::clone(&answer);
        let limits = limits.clone();
        async move {
            let _place = place;
            let service = service_fn(|request| {
                let mut response = match framing::check(&request) {
                    Ok(()) => answer(&request),
                    Err(what) => text(StatusCode::BAD_REQUEST, what),
                };
                let nosniff = HeaderValue::from_static("nosniff");
                response
                    .headers_mut()
                    .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
                std::future::ready(Ok::<_, Infallible>(response))
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.patience)
                .max_buf_size(limits.head_bytes)
                .keep_alive(false)
                .serve_connection(TokioIo::new(tcp), service);
            match tokio::time::timeout(limits.patience, served).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%peer, %error, "the connection ended early"),
                Err(_) => tracing::debug!(%peer, "the connection took too long"),
            }
        }
    })
    .await
}
