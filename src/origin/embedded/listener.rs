//! Accepts publishers, within bounds.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::session::{Ended, Session};
use super::{Embedded, Settings};
use crate::hub::Hub;

/// After so long without a byte a publisher is taken for lost; one that takes none, too.
const SILENCE: Duration = Duration::from_secs(10);

/// Bytes that whoever has shown no publish key may send: a handshake and some commands.
const MOST_BEFORE: usize = 64 * 1024;

/// Bytes of one read.
const READ: usize = 16 * 1024;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("it has left")]
    Left,
    #[error("it was silent for too long")]
    Silent,
    #[error("it is no RTMP")]
    Handshake,
    #[error("it sends too much without publishing")]
    Talks,
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("{0}")]
    Socket(#[from] io::Error),
}

/// Opens the port. Must be called within a tokio runtime.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Accepts until the future is dropped, which ends all publishers.
pub async fn serve(listener: TcpListener, settings: Settings, hub: Arc<Hub>) -> Infallible {
    let places = Arc::new(Semaphore::new(settings.publishers));
    let origin = Embedded {
        settings: Arc::new(settings),
        hub,
    };
    // Dropped with this future, and all its tasks then.
    let mut sessions = tokio::task::JoinSet::new();
    loop {
        while sessions.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((tcp, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let origin = origin.clone();
                    sessions.spawn(async move {
                        run(origin, tcp, peer).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    tracing::warn!(%peer, "a publisher is sent away: there are as many as limits.max-publishers allows")
                }
            },
            Err(error) => {
                tracing::warn!(%error, "a publisher can't be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection until it ends.
async fn run(origin: Embedded, tcp: TcpStream, peer: SocketAddr) {
    let why = match converse(origin, tcp, peer).await {
        Ok(never) => match never {},
        Err(why) => why,
    };
    tracing::debug!(%peer, %why, "a publisher's connection has ended");
}

async fn converse(
    origin: Embedded,
    mut tcp: TcpStream,
    peer: SocketAddr,
) -> Result<Infallible, Why> {
    let begun = Instant::now();
    let patience = origin.settings.patience;
    let left = || patience.saturating_sub(begun.elapsed());
    let mut buffer = vec![0; READ];
    let mut before = 0;
    let mut handshake = Handshake::new(PeerType::Server);
    let rest = loop {
        let length = read(&mut tcp, &mut buffer, left()).await?;
        before += length;
        let bytes = buffer.get(..length).unwrap_or_default();
        match handshake.process_bytes(bytes).map_err(|_| Why::Handshake)? {
            HandshakeProcessResult::InProgress { response_bytes } => {
                write(&mut tcp, &response_bytes).await?;
            }
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                write(&mut tcp, &response_bytes).await?;
                break remaining_bytes;
            }
        }
    };
    let mut out = Vec::new();
    let mut session = Session::new(origin, peer, &mut out)?;
    let mut taken = session.take(&rest, &mut out);
    loop {
        write(&mut tcp, &out).await?;
        out.clear();
        taken?;
        let patience = match session.publishes() {
            true => SILENCE,
            false if before > MOST_BEFORE => return Err(Why::Talks),
            false => left(),
        };
        let length = read(&mut tcp, &mut buffer, patience).await?;
        before = before.saturating_add(length);
        taken = session.take(buffer.get(..length).unwrap_or_default(), &mut out);
    }
}

async fn read(tcp: &mut TcpStream, buffer: &mut [u8], patience: Duration) -> Result<usize, Why> {
    match tokio::time::timeout(patience, tcp.read(buffer)).await {
        Ok(Ok(0)) => Err(Why::Left),
        Ok(read) => Ok(read?),
        Err(_) => Err(Why::Silent),
    }
}

async fn write(tcp: &mut TcpStream, bytes: &[u8]) -> Result<(), Why> {
    let written = tokio::time::timeout(SILENCE, tcp.write_all(bytes)).await;
    Ok(written.map_err(|_| Why::Silent)??)
}
