//! A nonblocking socket, plain or TLS, as the fan-out sees it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

use mio::{Interest, Registry, Token};
use rustls::ServerConnection;

/// A connected client after its handshake.
pub struct Socket {
    tcp: mio::net::TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// Bytes that are sealed and have not left, give or take what a record has besides.
    held: usize,
}

impl Socket {
    /// Takes a plain socket; it is made nonblocking.
    pub fn plain(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        Ok(Self {
            tcp: mio::net::TcpStream::from_std(tcp),
            tls: None,
            held: 0,
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
        // New text is taken only when the old has left, so that a record is never held twice.
        self.flush()?;
        let Some(tls) = &mut self.tls else {
            return Records(&mut self.tcp).write_vectored(slices);
        };
        let taken = tls.writer().write_vectored(slices)?;
        self.held = taken;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Whether all that was taken has left; [`ErrorKind::WouldBlock`] where it has not.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        while tls.wants_write() {
            match tls.write_tls(&mut Records(&mut self.tcp))? {
                0 => return Err(ErrorKind::WriteZero.into()),
                left => self.held = self.held.saturating_sub(left),
            }
        }
        self.held = 0;
        Ok(())
    }

    /// Bytes that were taken and have not left.
    pub(super) fn held(&self) -> usize {
        self.held
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

/// Where rustls puts its records. It has them as a list even where there is but one, and the kernel takes
/// half a microsecond longer for a list (`docs/performance.md`).
struct Records<'a>(&'a mut mio::net::TcpStream);

impl Write for Records<'_> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.0.write(record)
    }

    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        match records {
            [one] => self.0.write(one),
            several => self.0.write_vectored(several),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

    use super::*;

    /// A server's socket, and its client's, with TLS between them.
    fn pair() -> (Socket, TcpStream) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
        let key = made.signing_key.serialize_pem();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut near, _) = listener.accept().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| client.complete_io(&mut far).unwrap());
            server.complete_io(&mut near).unwrap();
        });
        (Socket::tls(near, server).unwrap(), far)
    }

    #[test]
    fn what_is_sealed_and_has_not_left_is_told() {
        let (mut socket, mut client) = pair();
        let text = [7; 10_000];
        let slices = [IoSlice::new(&text)];
        // Its client reads nothing, so the kernel's buffers are full at last.
        let error = loop {
            if let Err(error) = socket.write(&slices) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!((1..=10_000).contains(&socket.held()), "{}", socket.held());
        let mut buffer = vec![0; 1 << 20];
        while socket.held() > 0 {
            assert!(client.read(&mut buffer).unwrap() > 0);
            match socket.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                flushed => flushed.unwrap(),
            }
        }
    }
}
