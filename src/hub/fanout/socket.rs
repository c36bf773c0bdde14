//! A nonblocking socket, plain or TLS, as the fan-out sees it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

use bytes::{Buf, BufMut, Bytes};
use mio::{Interest, Registry, Token};
use rustls::ServerConnection;

use super::room::{Room, TEXT};

/// A connected client after its handshake.
pub struct Socket {
    tcp: mio::net::TcpStream,
    tls: Option<Box<Tls>>,
}

struct Tls {
    connection: ServerConnection,
    /// The rest of a record that was sealed by [`Socket::seal`]: it goes out before all else.
    rest: Bytes,
    /// Bytes that are sealed and have not left, give or take what a record has besides.
    held: usize,
}

impl Tls {
    // By itself, so that plain sockets are not the slower for it.
    #[inline(never)]
    fn flush(&mut self, tcp: &mut mio::net::TcpStream) -> io::Result<()> {
        while !self.rest.is_empty() {
            match tcp.write(&self.rest)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                left => self.rest.advance(left),
            }
        }
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Records(tcp))? {
                0 => return Err(ErrorKind::WriteZero.into()),
                left => self.held = self.held.saturating_sub(left),
            }
        }
        self.held = 0;
        Ok(())
    }
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
            tls: Some(Box::new(Tls {
                connection,
                rest: Bytes::new(),
                held: 0,
            })),
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

    /// Seals a text, for whoever sends it through [`Socket::tcp`] and tells by [`Socket::keep`] what is left of it.
    /// `None` where it is more than a record, where others wait to go out before it, or where nothing is sealed.
    pub(super) fn seal(&mut self, text: &[u8], room: &mut Room) -> io::Result<Option<Bytes>> {
        let Some(tls) = &mut self.tls else {
            return Ok(None);
        };
        if text.len() > TEXT || !tls.rest.is_empty() || tls.connection.wants_write() {
            return Ok(None);
        }
        tls.connection.writer().write_all(text)?;
        while tls.connection.wants_write() {
            tls.connection.write_tls(&mut room.next().writer())?;
        }
        Ok(Some(room.take()))
    }

    /// Where sealed bytes go.
    pub(super) fn tcp(&self) -> &mio::net::TcpStream {
        &self.tcp
    }

    /// The socket has not taken all of a record, but for this.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        if let Some(tls) = &mut self.tls {
            // A copy, so that it holds none of the others.
            tls.rest = Bytes::copy_from_slice(rest);
        }
    }

    /// Reads what the client sent; 0 is its end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.tcp.read(buffer);
        };
        loop {
            // The handshake may have left plain text behind, so that is looked for first.
            match tls.connection.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            if tls.connection.read_tls(&mut self.tcp)? == 0 {
                return Ok(0);
            }
            tls.connection
                .process_new_packets()
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
        let taken = tls.connection.writer().write_vectored(slices)?;
        tls.held = taken;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Whether all that was taken has left; [`ErrorKind::WouldBlock`] where it has not.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => tls.flush(&mut self.tcp),
        }
    }

    /// Bytes that were taken and have not left.
    pub(super) fn held(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.rest.len() + tls.held)
    }

    /// Ends our side; the client may still be read.
    pub(super) fn close(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
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
pub(super) mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

    use socket2::SockRef;

    use super::*;

    /// A server's socket, and its client's, with TLS between them.
    pub fn pair() -> (Socket, StreamOwned<ClientConnection, TcpStream>) {
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
        let tuned = SockRef::from(&near).set_send_buffer_size(64 * 1024);
        tuned.unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| client.complete_io(&mut far).unwrap());
            server.complete_io(&mut near).unwrap();
        });
        (
            Socket::tls(near, server).unwrap(),
            StreamOwned::new(client, far),
        )
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
            assert!(client.sock.read(&mut buffer).unwrap() > 0);
            match socket.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                flushed => flushed.unwrap(),
            }
        }
    }

    #[test]
    fn what_is_left_of_a_record_goes_out_before_all_else() {
        let (mut socket, mut client) = pair();
        let mut room = Room::default();
        let record = socket.seal(b"one, ", &mut room).unwrap().unwrap();
        let (taken, rest) = record.split_at(7);
        assert_eq!((&mut socket.tcp()).write(taken).unwrap(), taken.len());
        socket.keep(rest);
        assert_eq!(socket.held(), rest.len());
        assert_eq!(socket.seal(b"two, ", &mut room).unwrap(), None);
        let text = b"two, ";
        assert_eq!(socket.write(&[IoSlice::new(text)]).unwrap(), text.len());
        let record = socket.seal(b"three", &mut room).unwrap().unwrap();
        assert_eq!((&mut socket.tcp()).write(&record).unwrap(), record.len());
        let mut read = [0; 15];
        client.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"one, two, three");
    }

    #[test]
    fn what_is_more_than_a_record_is_not_sealed_alone() {
        let (mut socket, _client) = pair();
        let mut room = Room::default();
        assert_eq!(socket.seal(&[0; TEXT + 1], &mut room).unwrap(), None);
        assert!(socket.seal(&[0; TEXT], &mut room).unwrap().is_some());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plain = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut plain = Socket::plain(plain).unwrap();
        assert_eq!(plain.seal(b"text", &mut room).unwrap(), None);
    }
}
