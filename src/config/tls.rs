//! `[tls]`, and what is spoken where the server listens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::section::Section;

/// Two years, the longest that browsers' preload lists ask for, in seconds.
const HSTS_LONGEST: u64 = 2 * 365 * 24 * 3600;

/// What is spoken on the listening address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP without TLS: on a loopback address, or because `server.plain-http` says so.
    Plain,
    /// TLS with a certificate chain and its private key, both PEM.
    TlsFiles {
        /// `tls.certificate`
        certificate: PathBuf,
        /// `tls.key`
        key: PathBuf,
    },
    /// TLS with a certificate that is made at the start (`tls.self-signed`); see [`SelfSigned`](super::SelfSigned).
    TlsSelfSigned,
}

/// What goes with HTTPS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Https {
    /// `tls.redirect`: where plain HTTP is answered with the way to HTTPS. Default: nowhere.
    pub redirect: Option<SocketAddr>,
    /// `tls.hsts`: for so many seconds browsers come by HTTPS only (RFC 6797); 0, the default: they
    /// are not told to.
    pub hsts_seconds: u64,
}

impl Https {
    fn first_key(&self) -> Option<&'static str> {
        match self {
            Self {
                redirect: Some(_), ..
            } => Some("redirect"),
            Self {
                hsts_seconds: 1.., ..
            } => Some("hsts"),
            _ => None,
        }
    }
}

/// Reads `[tls]`.
pub(super) fn read(
    mut tls: Section,
    listen: SocketAddr,
    plain_http: bool,
    directory: &Path,
) -> Result<(Transport, Https), ConfigError> {
    let https = Https {
        redirect: tls.parsed("redirect", |text| {
            let own = super::address(text, "0.0.0.0:80")?;
            match own == listen {
                true => Err("is server.listen itself. Write another port, e.g. 80.".into()),
                false => Ok(own),
            }
        })?,
        hsts_seconds: tls.whole_seconds("hsts", 0, 0, HSTS_LONGEST)?,
    };
    let certificate = tls.text("certificate")?.map(|path| directory.join(path));
    let key = tls.text("key")?.map(|path| directory.join(path));
    let self_signed = tls.flag("self-signed")?.unwrap_or(false);
    let transport = match (certificate, key, self_signed) {
        (Some(certificate), Some(key), false) => Transport::TlsFiles { certificate, key },
        (None, None, true) => Transport::TlsSelfSigned,
        (None, None, false) if plain_http || listen.ip().is_loopback() => {
            if let Some(key) = https.first_key() {
                return Err(tls.wrong(
                    key,
                    "goes with HTTPS only. Give tls.certificate and tls.key, or leave it out.",
                ));
            }
            return tls.finish().map(|()| (Transport::Plain, https));
        }
        (None, None, false) => {
            return Err(ConfigError::Wrong {
                key: "server.listen".into(),
                problem: format!(
                    "{listen} is not a loopback address, and plain HTTP there would show every token. \
                     Give [tls] a certificate and a key, or set server.plain-http = true where a proxy in front does TLS."
                ),
            });
        }
        (Some(_), None, _) => {
            return Err(tls.wrong(
                "key",
                "is missing beside tls.certificate. Give the private key's PEM file.",
            ));
        }
        (None, Some(_), _) => {
            return Err(tls.wrong(
                "certificate",
                "is missing beside tls.key. Give the certificate chain's PEM file.",
            ));
        }
        (Some(_), Some(_), true) => {
            return Err(tls.wrong(
                "self-signed",
                "a certificate file is given as well. Keep one of the two.",
            ));
        }
    };
    if plain_http {
        return Err(ConfigError::Wrong {
            key: "server.plain-http".into(),
            problem: "is true, but [tls] asks for TLS. Remove one of the two.".into(),
        });
    }
    tls.finish().map(|()| (transport, https))
}
