//! The server's configuration: one TOML file, read once, resolved into types.
//!
//! Every key has a default, an unknown key is refused by its name, and every error names the key,
//! what is wrong with it and what to write instead. `examples/h5live.toml` shows every key.

mod limits;
mod network;
mod origins;
mod section;
mod self_signed;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use limits::Limits;
pub use network::{Network, Networks};
pub use self_signed::{SelfSigned, SelfSignedError};

use crate::http::leases::OnExpiry;
use crate::origin::OriginConfig;
use section::Section;

/// What the server is told at its start, with every value parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `server.listen`: the address and port of every door. Default `127.0.0.1:8180`.
    pub listen: SocketAddr,
    /// `server.plain-http` and `[tls]`: what is spoken there.
    pub transport: Transport,
    /// `server.records`: where accounts and signing keys are kept. Default `h5live.sqlite`.
    pub records: RecordsLocation,
    /// `server.trusted-proxies`: peers whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Networks,
    /// `server.page-origins`: the pages that may open the WebSocket, as a browser's `Origin` header
    /// names them (RFC 6454 section 6.2). Empty, the default: every page, and clients that are none,
    /// as a token can be bound to a page's domain by its referer.
    pub page_origins: Vec<String>,
    /// `server.clock-skew`: seconds for which a token is taken after its expiry. Default 0.
    pub clock_skew_seconds: u64,
    /// `server.on-expiry`: what happens to viewers whose token expires while they play. Default `keep`.
    pub on_expiry: OnExpiry,
    /// `[limits]`.
    pub limits: Limits,
    /// `[[origins]]`: the RTMP applications that streams are pulled from.
    pub origins: Vec<OriginConfig>,
}

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
    /// TLS with a certificate that is made at the start (`tls.self-signed`); see [`SelfSigned`].
    TlsSelfSigned,
}

/// Where the records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsLocation {
    /// An SQLite file, which is created where there is none.
    Sqlite(PathBuf),
}

/// Why a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be opened or is not UTF-8.
    #[error("{}: cannot be read ({reason}). Give the path of a readable TOML file.", path.display())]
    Unreadable {
        /// The file as it was named.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// The text is not TOML 1.0.
    #[error("line {line}: this is not TOML: {reason}")]
    NotToml {
        /// Line in the file, from 1.
        line: usize,
        /// The parser's reason, without the line's text.
        reason: String,
    },
    /// A key that nothing reads, which is most often a slip of the pen.
    #[error("{key}: unknown key. Known here: {known}.")]
    UnknownKey {
        /// Path of the key, e.g. `server.listn`.
        key: String,
        /// The keys that may stand there.
        known: String,
    },
    /// A key whose value cannot be used.
    #[error("{key}: {problem}")]
    Wrong {
        /// Path of the key, e.g. `origins[0].url`.
        key: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
}

impl Config {
    /// Reads and resolves the file. A relative path in it counts from the file's own directory.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Resolves the text of a configuration; relative paths in it count from `directory`.
    ///
    /// # Errors
    /// See [`ConfigError`]; never [`ConfigError::Unreadable`].
    pub fn parse(text: &str, directory: &Path) -> Result<Self, ConfigError> {
        let mut root = Section::root(text)?;
        let mut server = root.section("server")?;
        let listen = server
            .parsed("listen", |text| {
                text.parse().map_err(|_| {
                    format!(
                        "\"{text}\" is not an address with a port. Write e.g. \"127.0.0.1:8180\"."
                    )
                })
            })?
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8180)));
        let plain_http = server.flag("plain-http")?.unwrap_or(false);
        let records = server
            .parsed("records", |text| records_location(text, directory))?
            .unwrap_or_else(|| RecordsLocation::Sqlite(directory.join("h5live.sqlite")));
        let trusted_proxies =
            Networks::from(server.parsed_list("trusted-proxies", Network::parse)?);
        let page_origins = server
            .parsed_list_or_missing("page-origins", origins::page_origin)?
            .map_or(Ok(Vec::new()), origins::pages)
            .map_err(|problem| server.wrong("page-origins", problem))?;
        let clock_skew_seconds = server.whole_seconds("clock-skew", 0, 0, 300)?;
        let on_expiry = server.parsed("on-expiry", on_expiry)?.unwrap_or_default();
        server.finish()?;

        let transport = transport(&mut root, listen, plain_http, directory)?;
        let limits = Limits::read(root.section("limits")?)?;
        let origins = origins::read(root.sections("origins")?)?;
        root.finish()?;
        Ok(Self {
            listen,
            transport,
            records,
            trusted_proxies,
            page_origins,
            clock_skew_seconds,
            on_expiry,
            limits,
            origins,
        })
    }
}

fn on_expiry(text: &str) -> Result<OnExpiry, String> {
    match text {
        "keep" => Ok(OnExpiry::Keep),
        "close" => Ok(OnExpiry::Close),
        _ => Err(format!(
            "\"{text}\" is not known. Write \"keep\" or \"close\"."
        )),
    }
}

fn records_location(text: &str, directory: &Path) -> Result<RecordsLocation, String> {
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return Err("PostgreSQL is not supported yet. Write the path of an SQLite file.".into());
    }
    let path = text.strip_prefix("sqlite://").unwrap_or(text);
    if path.contains("://") {
        return Err("this kind of URL is not known. Write a path, or sqlite:// and a path.".into());
    }
    if path.is_empty() || path.contains(['\0', '?', '#']) || path.starts_with(':') {
        return Err("this is not the path of a file. Write e.g. \"h5live.sqlite\".".into());
    }
    Ok(RecordsLocation::Sqlite(directory.join(path)))
}

fn transport(
    root: &mut Section,
    listen: SocketAddr,
    plain_http: bool,
    directory: &Path,
) -> Result<Transport, ConfigError> {
    let mut tls = root.section("tls")?;
    let certificate = tls.text("certificate")?.map(|path| directory.join(path));
    let key = tls.text("key")?.map(|path| directory.join(path));
    let self_signed = tls.flag("self-signed")?.unwrap_or(false);
    let transport = match (certificate, key, self_signed) {
        (Some(certificate), Some(key), false) => Transport::TlsFiles { certificate, key },
        (None, None, true) => Transport::TlsSelfSigned,
        (None, None, false) if plain_http || listen.ip().is_loopback() => {
            return tls.finish().map(|()| Transport::Plain);
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
    tls.finish().map(|()| transport)
}
