//! A reader's connection while it comes in, plain or TLS 1.3; both are read and written alike.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};

/// A start that takes longer is a defect and no figure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Readers of one source address: the kernel has some 28,000 ports to give for each.
const READERS_OF_AN_ADDRESS: u64 = 10_000;

pub enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    /// Connects for reader number `reader`; with TLS, the handshake is done.
    pub fn open(reader: u64, to: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let host = 1 + reader / READERS_OF_AN_ADDRESS;
        let from = Ipv4Addr::new(127, 0, 0, u8::try_from(host).map_err(io::Error::other)?);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        socket.connect(&to.into())?;
        let tcp = TcpStream::from(socket);
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let Some(config) = tls else {
            return Ok(Self::Plain(tcp));
        };
        let name = ServerName::try_from("bench.test").map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(client, tcp);
        tls.flush()?;
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(Self::Tls(Box::new(tls)))
    }
}

/// What readers of a server with this certificate speak: TLS 1.3 with the cipher that browsers ask for first,
/// and the floor seals with.
pub fn client(certificate: Vec<u8>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let added = roots.add(CertificateDer::from(certificate));
    added.expect("a certificate");
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let wanted = CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider
        .cipher_suites
        .retain(|suite| suite.suite() == wanted);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("it is there")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
