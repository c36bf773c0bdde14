//! A listener beside the doors whose answers may take a while and last: it shares no bound with viewers.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::body::{Body, text};
use super::connection::Connection;
use super::framing;
use super::listener;
use super::stalling::Stalling;

/// Bounds of such a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// How long TLS may take, and the head of each request, the pause before it included.
    pub patience: Duration,
    /// How long a client may take nothing while there is something to send.
    pub stall: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
}

/// Answers until the future is dropped, by HTTP/1.1.
pub async fn serve<F>(
    socket: TcpListener,
    tls: Option<&ServerConfig>,
    limits: Limits,
    answer: impl Fn(IpAddr, Request<Incoming>) -> F + Send + Sync + 'static,
) -> Infallible
where
    F: Future<Output = Response<Body>> + Send,
{
    let answer = Arc::new(answer);
    let acceptor = tls.map(|config| {
        let mut config = config.clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    });
    let connections = limits.connections;
    listener::accept(socket, connections, move |tcp, peer, place| {
        let (answer, limits, acceptor) = (Arc::clone(&answer), limits.clone(), acceptor.clone());
        async move {
            let _place = place;
            let opening = tokio::time::timeout(limits.patience, open(tcp, acceptor)).await;
            let Ok(Ok(connection)) = opening else {
                return tracing::debug!(%peer, "no TLS, or not in time");
            };
            let service = service_fn(|request| {
                let answer = Arc::clone(&answer);
                async move {
                    let mut response = match framing::check(&request) {
                        Ok(()) => answer(peer.ip(), request).await,
                        Err(what) => text(StatusCode::BAD_REQUEST, what),
                    };
                    let nosniff = HeaderValue::from_static("nosniff");
                    let headers = response.headers_mut();
                    headers.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
                    Ok::<_, Infallible>(response)
                }
            });
            let io = TokioIo::new(Stalling::new(connection, limits.stall));
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.patience)
                .max_buf_size(limits.head_bytes)
                .serve_connection(io, service);
            if let Err(error) = served.await {
                tracing::debug!(%peer, %error, "the connection ended early");
            }
        }
    })
    .await
}

async fn open(tcp: TcpStream, acceptor: Option<TlsAcceptor>) -> std::io::Result<Connection> {
    tcp.set_nodelay(true)?;
    Ok(match acceptor {
        None => Connection::Plain(tcp),
        Some(acceptor) => Connection::Tls(Box::new(acceptor.accept(tcp).await?)),
    })
}
