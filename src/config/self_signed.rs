//! A certificate made on the spot, for trying the server out.

use std::net::IpAddr;

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
#[error("no self-signed certificate could be made: {0}. Give tls.certificate and tls.key instead.")]
pub struct SelfSignedError(#[from] rcgen::Error);

/// A self-signed certificate and its private key, both PEM. Nothing is written to disk.
pub struct SelfSigned {
    /// The certificate, PEM.
    pub certificate: String,
    /// The private key, PKCS #8 in PEM. Secret.
    pub key: String,
}

impl SelfSigned {
    /// Makes one for `localhost`, the loopback addresses and the address that is listened on.
    ///
    /// # Errors
    /// When the system's generator of random numbers fails.
    pub fn make(listen: IpAddr) -> Result<Self, SelfSignedError> {
        let mut names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        if !listen.is_loopback() && !listen.is_unspecified() {
            names.push(listen.to_string());
        }
        let made = rcgen::generate_simple_self_signed(names)?;
        Ok(Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        })
    }
}

impl std::fmt::Debug for SelfSigned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SelfSigned").finish_non_exhaustive()
    }
}
