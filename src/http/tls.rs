//! TLS by certificate files (RFC 8446, RFC 5246 through rustls).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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

/// TLS 1.2 and 1.3 with the certificate in these files.
pub fn from_files(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let fail = |what, path: &Path| {
        let path = path.to_owned();
        move |error| TlsError::File { what, path, error }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(fail("the certificate", &files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(fail("the key", &files.key))?;
    from_parts(chain, key)
}

/// The same with a certificate and a key in PEM from memory.
pub fn from_pem(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, TlsError> {
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
    from_parts(chain, key)
}

/// The same from memory.
fn from_parts(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
