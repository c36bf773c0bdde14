//! Accepts connections, within bounds, and gives their requests to the [`App`].

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use hyper::header::HeaderValue;
use rustls::ServerConfig;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::app::App;
use super::connection::Connection;
use super::conversation::Client;
use super::proxy_protocol::{self, ProxyError};
use super::traffic::Failure;

/// Bounds of a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections before their upgrade, at once; more wait to be accepted.
    pub handshakes: usize,
    /// How long a client may take for its PROXY header and TLS together, and for the head of each
    /// request.
    pub patience: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// The kernel's send buffer of a connection, in bytes: what a slow client may be behind before
    /// its session knows.
    pub send_buffer: usize,
    /// Requests at once on one HTTP/2 connection.
    pub http2_streams: u32,
    /// How long an HTTP/2 connection may be without a request before it is closed.
    pub http2_idle: Duration,
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
            http2_streams: 64,
            http2_idle: Duration::from_secs(60),
            stall: Duration::from_secs(10),
        }
    }
}

/// How a listener speaks.
#[derive(Clone, Debug, Default)]
pub struct Front {
    /// HTTPS, or HTTP without it.
    pub tls: Option<Arc<ServerConfig>>,
    /// Trusted peers begin with a PROXY header, which names the client.
    pub proxy_protocol: bool,
    /// For how many seconds browsers are told to come by HTTPS only; 0: they are not told.
    pub hsts_seconds: u64,
}

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
    front: Front,
    app: Arc<App>,
    limits: Limits,
) -> Infallible {
    let setting = Arc::new(Setting {
        hsts: front.hsts(),
        acceptor: front.tls.map(TlsAcceptor::from),
        proxy_protocol: front.proxy_protocol,
        app,
        limits,
    });
    let handshakes = setting.limits.handshakes;
    accept(listener, handshakes, move |tcp, peer, handshake| {
        let setting = Arc::clone(&setting);
        async move { setting.take(tcp, peer, handshake).await }
    })
    .await
}

/// Accepts for ever, so many connections at once.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    at_once: usize,
    take: impl Fn(TcpStream, SocketAddr, Handshake) -> F,
) -> Infallible
where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once));
    loop {
        let Ok(permit) = Arc::clone(&places).acquire_owned().await else {
            unreachable!("the semaphore is never closed");
        };
        match listener.accept().await {
            Ok((tcp, peer)) => {
                tokio::spawn(take(tcp, peer, Handshake::new(permit)));
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

/// What all connections of a listener have in common.
struct Setting {
    acceptor: Option<TlsAcceptor>,
    proxy_protocol: bool,
    hsts: Option<HeaderValue>,
    app: Arc<App>,
    limits: Limits,
}

/// Why a connection does not come to its first request.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("no TLS: {0}")]
    Tls(io::Error),
}

impl Front {
    fn hsts(&self) -> Option<HeaderValue> {
        let seconds = (self.tls.is_some() && self.hsts_seconds > 0).then_some(self.hsts_seconds)?;
        HeaderValue::try_from(format!("max-age={seconds}")).ok()
    }
}

impl Setting {
    async fn take(&self, tcp: TcpStream, peer: SocketAddr, handshake: Handshake) {
        let traffic = &self.app.traffic;
        let _counted = traffic.connection();
        if let Err(error) = self.tune(&tcp) {
            return tracing::debug!(%peer, %error, "a connection can't be set up");
        }
        let opening = self.open(tcp, peer.ip());
        let (connection, address) = match tokio::time::timeout(self.limits.patience, opening).await
        {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => {
                traffic.failed(Failure::Handshake);
                return match error {
                    // The operator's own proxy: that is worth more than a viewer's slip.
                    OpenError::Proxy(ProxyError::Header(error)) => {
                        tracing::warn!(%peer, "connection closed: {error}");
                    }
                    error => tracing::debug!(%peer, %error, "connection closed"),
                };
            }
            Err(_) => {
                traffic.failed(Failure::Timeout);
                return tracing::debug!(%peer, "the handshake took too long");
            }
        };
        let client = Client {
            app: Arc::clone(&self.app),
            address,
            hsts: self.hsts.clone(),
            handshake,
        };
        if let Err(error) = client.converse(connection, &self.limits).await {
            tracing::debug!(%peer, %error, "the connection ended early");
        }
    }

    /// All that comes before HTTP.
    async fn open(
        &self,
        mut tcp: TcpStream,
        peer: IpAddr,
    ) -> Result<(Connection, IpAddr), OpenError> {
        let address = if self.proxy_protocol && self.app.trusted.trusts(peer) {
            proxy_protocol::client(&mut tcp).await?
        } else {
            // A PROXY header of anybody else is no HTTP and no TLS, and is closed as such.
            peer
        };
        let connection = match &self.acceptor {
            None => Connection::Plain(tcp),
            Some(acceptor) => {
                let tls = acceptor.accept(tcp).await.map_err(OpenError::Tls)?;
                Connection::Tls(Box::new(tls))
            }
        };
        Ok((connection, address))
    }

    fn tune(&self, tcp: &TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        SockRef::from(tcp).set_send_buffer_size(self.limits.send_buffer)
    }
}
