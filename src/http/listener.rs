//! Accepts connections, within bounds, and gives their requests to the [`App`].

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::app::App;
use super::connection::Connection;
use super::stalling::Stalling;

/// Bounds of a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections before their upgrade, at once; more wait to be accepted.
    pub handshakes: usize,
    /// How long a client may take for its TLS handshake, and for the head of each request.
    pub patience: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// The kernel's send buffer of a connection, in bytes: what a slow client may be behind before
    /// its session knows.
    pub send_buffer: usize,
    /// How long a client may take nothing while there is something to send, before it is closed.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes: 4096,
            patience: Duration::from_secs(10),
            head_bytes: 16 * 1024,
            send_buffer: 256 * 1024,
            stall: Duration::from_secs(10),
        }
    }
}

/// Header lines of a request.
const HEADERS: usize = 64;

/// Opens the port. Must be called within a tokio runtime, but does not wait: an element's application
/// may be in one of its own.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until the future is dropped.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    app: Arc<App>,
    limits: Limits,
) -> Infallible {
    let acceptor = tls.map(TlsAcceptor::from);
    let handshakes = Arc::new(Semaphore::new(limits.handshakes));
    loop {
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else {
            unreachable!("the semaphore is never closed");
        };
        match listener.accept().await {
            Ok((tcp, peer)) => {
                let connection = Accepted {
                    tcp,
                    peer,
                    permit,
                    app: Arc::clone(&app),
                    limits: limits.clone(),
                };
                tokio::spawn(connection.run(acceptor.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others must leave first.
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A connection's place among those that are no viewer's, or not yet.
#[derive(Clone)]
pub struct Handshake(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Handshake {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    /// The request's connection is a viewer's from now on, and its place is another's.
    pub fn end<B>(request: &Request<B>) {
        if let Some(Self(permit)) = request.extensions().get::<Self>() {
            permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

struct Accepted {
    tcp: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
    app: Arc<App>,
    limits: Limits,
}

impl Accepted {
    async fn run(self, acceptor: Option<TlsAcceptor>) {
        let peer = self.peer;
        if let Err(error) = self.tune() {
            tracing::debug!(%peer, %error, "a connection can't be set up");
            return;
        }
        let Self {
            tcp,
            permit,
            app,
            limits,
            ..
        } = self;
        let connection = match acceptor {
            None => Connection::Plain(tcp),
            Some(acceptor) => {
                match tokio::time::timeout(limits.patience, acceptor.accept(tcp)).await {
                    Ok(Ok(tls)) => Connection::Tls(Box::new(tls)),
                    Ok(Err(error)) => return tracing::debug!(%peer, %error, "no TLS"),
                    Err(_) => return tracing::debug!(%peer, "the TLS handshake took too long"),
                }
            }
        };
        let handshake = Handshake::new(permit);
        let service = service_fn(|mut request: Request<Incoming>| {
            let app = Arc::clone(&app);
            request.extensions_mut().insert(handshake.clone());
            async move { Ok::<_, Infallible>(app.answer(peer.ip(), request).await) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.patience)
            .max_buf_size(limits.head_bytes)
            .max_headers(HEADERS)
            .serve_connection(
                TokioIo::new(Stalling::new(connection, limits.stall)),
                service,
            )
            .with_upgrades()
            .await;
        drop(handshake);
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "the connection ended early");
        }
    }

    fn tune(&self) -> io::Result<()> {
        self.tcp.set_nodelay(true)?;
        SockRef::from(&self.tcp).set_send_buffer_size(self.limits.send_buffer)
    }
}
