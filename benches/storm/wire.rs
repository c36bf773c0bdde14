//! One client's connection, plain or within TLS, that never waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};

/// How clients speak to the server.
#[derive(Clone)]
pub struct Way {
    pub address: SocketAddr,
    pub tls: Option<Arc<ClientConfig>>,
}

pub enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Way {
    /// Connects from the `number`th of this machine's addresses, so that ports do not run out.
    pub fn connect(&self, number: u64, registry: &Registry, token: Token) -> io::Result<Wire> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let [high, low] = ((number % 50_000) as u16).to_be_bytes();
        let from = Ipv4Addr::new(127, 1, high, low.max(1));
        socket.bind(&SockAddr::from(SocketAddr::from((from, 0))))?;
        match socket.connect(&SockAddr::from(self.address)) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error),
            _ => {}
        }
        let mut tcp = TcpStream::from_std(socket.into());
        registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
        let Some(config) = &self.tls else {
            return Ok(Wire::Plain(tcp));
        };
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Wire::Tls(Box::new(StreamOwned::new(session, tcp))))
    }
}

/// EINPROGRESS of Linux: the connection is on its way.
const IN_PROGRESS: i32 = 115;

impl Wire {
    /// Sends what has not been sent; true once all has.
    pub fn send(&mut self, bytes: &mut &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            let sent = match self {
                Self::Plain(tcp) => tcp.write(bytes),
                Self::Tls(tls) => tls.write(bytes),
            };
            match sent {
                Ok(length) => *bytes = &bytes[length..],
                Err(error) if waits(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Nothing where nothing has come; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let read = match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        };
        match read {
            Ok(length) => Ok(Some(length)),
            Err(error) if waits(&error) => Ok(None),
            // The connection ends without a word of TLS, after one of the WebSocket.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }
}

fn waits(error: &io::Error) -> bool {
    let kinds = [ErrorKind::WouldBlock, ErrorKind::NotConnected];
    kinds.contains(&error.kind())
}

/// What trusts the server's certificate, in PEM; TLS 1.3 without resumption, as viewers come who were
/// never here.
pub fn trusting(certificate: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes());
    roots
        .add(certificate.expect("a certificate"))
        .expect("it can be trusted");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}
