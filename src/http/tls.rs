//! TLS by certificate files (RFC 8446, RFC 5246 through rustls).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;

/// HTTP/2 in ALPN (RFC 9113, 3.1).
pub(super) const HTTP_2: &[u8] = b"h2";

/// Where a certificate chain and its key are, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read or holds no PEM of the kind.
    #[error("{what} {path:?} can't be read ({error}); give a PEM file")]
    File {
        /// Which of the two.
        what: &'static str,
        /// As it was given.
        path: PathBuf,
        /// The reader's words.
        error: rustls::pki_types::pem::Error,
    },
    /// They do not go together.
    #[error("the certificate and the key can't be used together ({0})")]
    Pair(#[from] rustls::Error),
}

impl TlsFiles {
    /// Reads both, and sees that they belong together.
    pub(super) fn read(&self) -> Result<CertifiedKey, TlsError> {
        let fail = |what, path: &Path| {
            let path = path.to_owned();
            move |error| TlsError::File { what, path, error }
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
            .map_err(fail("the certificate", &self.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(fail("the key", &self.key))?;
        pair(chain, key)
    }
}

/// TLS, and the certificate in it.
#[derive(Clone, Debug)]
pub struct Tls {
    /// What a handshake needs.
    pub config: Arc<ServerConfig>,
    /// What may be replaced.
    pub certificate: Arc<Certificate>,
}

/// TLS 1.2 and 1.3 with the certificate in these files.
pub fn from_files(files: &TlsFiles) -> Result<Tls, TlsError> {
    with(files.read()?)
}

/// The same with a certificate and a key in PEM from memory.
pub fn from_pem(certificate: &str, key: &str) -> Result<Tls, TlsError> {
    let fail = |what| {
        move |error| TlsError::File {
            what,
            path: PathBuf::from("memory"),
            error,
        }
    };
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail("the certificate in"))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(fail("the key in"))?;
    with(pair(chain, key)?)
}

fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    Ok(CertifiedKey::from_der(chain, key, &provider)?)
}

fn with(pair: CertifiedKey) -> Result<Tls, TlsError> {
    let certificate = Certificate::new(pair);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&certificate) as _);
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    Ok(Tls {
        config: Arc::new(config),
        certificate,
    })
}
