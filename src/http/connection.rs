//! An accepted connection, plain or TLS, and its way from hyper to the fan-out.

use std::io::{self, Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::handing_on;
use super::stalling::Stalling;
use super::tls::HTTP_2;
use crate::hub::fanout::Socket;

/// Both kinds in one type, so that an upgraded connection can be taken apart again.
pub enum Connection {
    /// HTTP.
    Plain(TcpStream),
    /// HTTPS, its handshake done.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// Whether both sides have agreed on HTTP/2 (RFC 7301).
    pub fn speaks_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(HTTP_2),
        }
    }
}

/// Takes the socket back from hyper, with what it has read past the request.
pub fn into_socket(upgraded: Upgraded) -> io::Result<(Socket, Bytes)> {
    let Parts { io, read_buf, .. } = upgraded
        .downcast::<TokioIo<Stalling<Connection>>>()
        .map_err(|_| Error::new(ErrorKind::Unsupported, "the connection is not ours"))?;
    let socket = match io.into_inner().into_inner() {
        Connection::Plain(tcp) => Socket::plain(tcp.into_std()?)?,
        Connection::Tls(tls) => {
            let (tcp, connection) = tls.into_inner();
            Socket::tls(tcp.into_std()?, connection)?
        }
    };
    Ok((socket, read_buf))
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => handing_on::poll_write(tcp, cx, slices),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
