//! The certificate that new handshakes get, and its replacement while the server runs.

use std::convert::Infallible;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::tls::{TlsError, TlsFiles};

/// How often the files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A certificate and its key; whoever holds it sees each replacement.
#[derive(Debug)]
pub struct Certificate {
    pair: RwLock<Arc<CertifiedKey>>,
    reloads: AtomicU64,
    failures: AtomicU64,
}

impl Certificate {
    pub(super) fn new(pair: CertifiedKey) -> Arc<Self> {
        Arc::new(Self {
            pair: RwLock::new(Arc::new(pair)),
            reloads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.pair.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files; on an error what was there stays.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let pair = Arc::new(files.read()?);
        *self.pair.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }

    /// How often it was replaced.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How often what was to replace it was no good.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Whether a browser that asked for this host would take it.
    pub fn is_for(&self, host: &ServerName<'_>) -> bool {
        let pair = self.current();
        let parsed = pair.end_entity_cert().and_then(ParsedCertificate::try_from);
        parsed.is_ok_and(|leaf| rustls::client::verify_server_name(&leaf, host).is_ok())
    }

    /// Reads the files again whenever they change, for ever. Sessions that run keep what they have
    /// negotiated; those that come get the new certificate.
    pub async fn follow(&self, files: &TlsFiles) -> Infallible {
        let mut used = Trace::of(files);
        let mut seen = used;
        let mut complained = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let before = std::mem::replace(&mut seen, Trace::of(files));
            // Two files are never replaced at once: whoever writes them gets a turn to finish.
            if seen != before {
                complained = false;
                continue;
            }
            if seen == used {
                continue;
            }
            match self.reload(files) {
                Ok(()) => {
                    used = seen;
                    self.reloads.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(certificate = ?files.certificate, "the new certificate is used");
                }
                // Tried again each time, because what keeps it from being read may leave no trace.
                Err(_) if complained => {}
                Err(error) => {
                    complained = true;
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        "the old certificate stays in use, because the new one is no good: {error}; \
                         write both files again"
                    );
                }
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// What tells that a file was changed, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trace([Option<(SystemTime, u64, u64)>; 2]);

impl Trace {
    fn of(files: &TlsFiles) -> Self {
        let file = |path: &Path| {
            // Follows links, by which some tools switch to the new files.
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        };
        Self([file(&files.certificate), file(&files.key)])
    }
}
