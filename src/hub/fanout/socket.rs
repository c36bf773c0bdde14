//! A nonblocking socket, plain or TLS, as the fan-out sees it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

use mio::{Interest, Registry, Token};
use rustls::ServerConnection;

/// A connected client after its handshake.
pub struct Socket {
    tcp: mio::net::TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl Socket {
    /// Takes a plain socket; it is made nonblocking.
    pub fn plain(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        Ok(Self {
            tcp: mio::net::TcpStream::from_std(tcp),
            tls: None,
        })
    }

    /// Takes a socket whose TLS handshake is done.
    pub fn tls(tcp: TcpStream, connection: ServerConnection) -> io::Result<Self> {
        Ok(Self {
            tls: Some(Box::new(connection)),
            ..Self::plain(tcp)?
        })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut self.tcp, token, interest)
    }

    /// The socket itself, where bytes go out as they are.
    pub(super) fn bare(&self) -> Option<&mio::net::TcpStream> {
        self.tls.is_none().then_some(&self.tcp)
    }

    /// Reads what the client sent; 0 is its end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.tcp.read(buffer);
        };
        loop {
            // The handshake may have left plain text behind, so that is looked for first.
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            if tls.read_tls(&mut self.tcp)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets()
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    /// Writes as much as the socket takes now.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return match slices {
                [one] => self.tcp.write(one),
                several => self.tcp.write_vectored(several),
            };
        };
        // New text is taken only when the old has left, so that a record is never held twice.
        flush(tls, &mut self.tcp)?;
        let taken = tls.writer().write_vectored(slices)?;
        match flush(tls, &mut self.tcp) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Whether all that was taken has left; [`ErrorKind::WouldBlock`] where it has not.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => flush(tls, &mut self.tcp),
            None => Ok(()),
        }
    }

    /// Ends our side; the client may still be read.
    pub(super) fn close(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush()?;
        self.tcp.shutdown(Shutdown::Write)
    }
}

fn flush(tls: &mut ServerConnection, tcp: &mut mio::net::TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        if tls.write_tls(tcp)? == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}
