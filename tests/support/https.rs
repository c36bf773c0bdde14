//! HTTPS as clients see it: curl, and TLS by hand.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::patient::Patient;
use super::process::PATIENCE;
use super::server::Server;

/// A certificate for 127.0.0.1 and its key, written to files.
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub der: CertificateDer<'static>,
}

impl Pair {
    /// Makes one; written to the same directory again, it replaces the last.
    pub fn write(directory: &Path) -> Pair {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let pair = Pair {
            certificate: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
            der: made.cert.der().clone(),
        };
        fs::write(&pair.certificate, made.cert.pem()).unwrap();
        fs::write(&pair.key, made.signing_key.serialize_pem()).unwrap();
        pair
    }

    /// A client's settings that trust these certificates and speak these protocols.
    pub fn client(trusted: &[&CertificateDer<'static>], alpn: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for certificate in trusted {
            roots.add((*certificate).clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// A TLS connection over which nothing was sent yet.
pub type Tls = StreamOwned<ClientConnection, Patient>;

/// Connects to a loopback port; the handshake is done.
pub fn connect(port: u16, config: &Arc<ClientConfig>) -> Result<Tls, String> {
    let tcp = Patient::connect(("127.0.0.1", port), PATIENCE).map_err(|error| error.to_string())?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut tls = StreamOwned::new(session, tcp);
    tls.flush().map_err(|error| error.to_string())?;
    while tls.conn.is_handshaking() {
        let StreamOwned { conn, sock } = &mut tls;
        conn.complete_io(sock).map_err(|error| error.to_string())?;
    }
    Ok(tls)
}

/// The certificate in a PEM file.
pub fn der(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

/// What curl got.
#[derive(Debug)]
pub struct Answer {
    /// `HTTP/2` or `HTTP/1.1`.
    pub version: String,
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Runs curl, which takes any certificate.
pub fn run_curl(arguments: &[&str]) -> Output {
    Command::new("curl")
        .args(["--silent", "--show-error", "--insecure", "--noproxy", "*"])
        .args(["--path-as-is", "--globoff", "--max-time", "40"])
        .args(arguments)
        .output()
        .expect("curl runs")
}

/// Fetches with curl; panics where there is no answer.
pub fn curl(arguments: &[&str]) -> Answer {
    let output = run_curl(&[&["--include"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    let all = output.stdout;
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let mut words = head.split_whitespace();
    Answer {
        version: words.next().unwrap().to_owned(),
        status: words.next().unwrap().parse().unwrap(),
        body: all[end + 4..].to_vec(),
        head,
    }
}

/// Registers a stream by HTTPS.
pub fn register(server: &Server, stream: &str, secret: &str) {
    let answer = curl(&[
        "-H",
        "Content-Type: application/json",
        "-H",
        &format!("X-BINTU-APIKEY: {}", server.api_key()),
        "-d",
        &format!(r#"{{"streamname": "{stream}", "secret": "{secret}"}}"#),
        &format!("{}/secure/stream", server.base()),
    ]);
    assert_eq!(answer.status, 200, "{answer:?}");
}
