//! RTSP (RFC 2326) through the same gate: `rtsp://host/STREAM?token=…`, for players that speak it.
//!
//! ```text
//! client ─▶ connection (requests; gate, lease) ─▶ stage (one pipeline a stream) ─▶ RTP, by TCP or UDP
//!                                                   ▲ feed (samples) ◀─ hub
//! ```
//!
//! The library that speaks RTSP behind the gate, `gst-rtsp-server`, sees no token, and of nobody's request
//! more than `request` lets through. TLS is ours.

mod connection;
mod factory;
mod feed;
mod message;
mod parameter_sets;
mod pipeline;
mod reader;
mod request;
mod stage;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::http::app::App;
use crate::http::connection::Connection;
use crate::http::listener;
use crate::http::proxy_protocol;
use crate::http::stalling::Stalling;
use connection::Client;
use stage::Stages;

/// A connection whose client is gone without a word is noticed by these; who watches by UDP is sent nothing
/// on it.
const ALIVE_AFTER: Duration = Duration::from_secs(20);
const ALIVE_EVERY: Duration = Duration::from_secs(10);
const ALIVE_TRIES: u32 = 3;

/// Bounds of the listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once that are no viewers, or not yet; more wait to be accepted.
    pub connections: usize,
    /// How long TLS may take, then all that comes before DESCRIBE, and then each request until PLAY.
    pub patience: Duration,
    /// How long a client may take nothing while there is something to send.
    pub stall: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// The kernel's send buffer of a connection, in bytes.
    pub send_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let doors = listener::Limits::default();
        Self {
            connections: doors.handshakes,
            patience: doors.patience,
            stall: doors.stall,
            head_bytes: doors.head_bytes,
            send_buffer: doors.send_buffer,
        }
    }
}

/// How the listener speaks.
#[derive(Clone, Debug, Default)]
pub struct Front {
    /// RTSPS, its media on the same connection only; RTSP without it.
    pub tls: Option<Arc<ServerConfig>>,
    /// Trusted peers begin with a PROXY header, which names the client.
    pub proxy_protocol: bool,
}

/// Ends all RTSP viewers when it is asked to, or dropped.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Of a door that is not open yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Ends them, and whoever comes from now on.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// What all connections have in common.
struct Door {
    app: Arc<App>,
    limits: Limits,
    stages: Stages,
    stop: watch::Receiver<bool>,
}

impl Door {
    async fn stopped(&self) {
        let mut stop = self.stop.clone();
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// Accepts until the future is dropped. Viewers stay until they leave or are [stopped](Stop).
///
/// # Errors
/// What GStreamer says where it can't be used.
pub async fn serve(
    socket: TcpListener,
    front: Front,
    app: Arc<App>,
    limits: Limits,
    stop: &Stop,
) -> Result<Infallible, gst::glib::Error> {
    gst::init()?;
    let connections = limits.connections;
    let door = Arc::new(Door {
        app,
        limits,
        stages: Stages::default(),
        stop: stop.0.subscribe(),
    });
    let acceptor = front.tls.map(|config| {
        let mut config = ServerConfig::clone(&config);
        config.alpn_protocols.clear();
        TlsAcceptor::from(Arc::new(config))
    });
    let taken = listener::accept(socket, connections, move |tcp, peer, waiting| {
        let (door, acceptor) = (Arc::clone(&door), acceptor.clone());
        async move {
            let opening = open(&door, tcp, peer, acceptor, front.proxy_protocol);
            let opened = tokio::time::timeout(door.limits.patience, opening).await;
            let Ok(Ok((connection, address))) = opened else {
                return tracing::debug!(%peer, "no RTSP: no TLS or PROXY header, or not in time");
            };
            let udp = matches!(connection, Connection::Plain(_));
            let io = Stalling::new(connection, door.limits.stall);
            let (read, write) = tokio::io::split(io);
            let client = Client { door, address, udp };
            client.converse(read, write, waiting).await;
        }
    });
    Ok(taken.await)
}

async fn open(
    door: &Door,
    mut tcp: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    proxy_protocol: bool,
) -> io::Result<(Connection, IpAddr)> {
    tcp.set_nodelay(true)?;
    let alive = TcpKeepalive::new()
        .with_time(ALIVE_AFTER)
        .with_interval(ALIVE_EVERY)
        .with_retries(ALIVE_TRIES);
    SockRef::from(&tcp).set_tcp_keepalive(&alive)?;
    SockRef::from(&tcp).set_send_buffer_size(door.limits.send_buffer)?;
    let address = match proxy_protocol && door.app.trusted.trusts(peer.ip()) {
        true => proxy_protocol::client(&mut tcp)
            .await
            .map_err(io::Error::other)?,
        false => peer.ip().to_canonical(),
    };
    let connection = match acceptor {
        None => Connection::Plain(tcp),
        Some(acceptor) => Connection::Tls(Box::new(acceptor.accept(tcp).await?)),
    };
    Ok((connection, address))
}
