//! The server's configuration: one TOML file, read once, resolved into types.
//!
//! Every key has a default, an unknown key is refused by its name, and every error names the key,
//! what is wrong with it and what to write instead. `examples/h5live.toml` shows every key.

mod console;
mod embedded;
mod limits;
mod origins;
mod rtsp;
mod section;
mod self_signed;
#[cfg(test)]
mod tests;
mod tls;
mod verify;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use crate::http::networks::{Network, Networks};
pub use crate::records::RecordsLocation;
pub use console::Console;
pub use embedded::{Embedded, NAME as EMBEDDED};
pub use limits::Limits;
pub use rtsp::Rtsp;
pub use self_signed::{SelfSigned, SelfSignedError};
pub use tls::{Https, Transport};

use crate::http::leases::OnExpiry;
use crate::http::verify::Headers as VerifyHeaders;
use crate::hub::fanout::Means;
use crate::origin::{OriginConfig, Origins};
use crate::token::{OpenStream, OpenStreams};
use section::Section;

/// What the server is told at its start, with every value parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `server.listen`: the address and port of every door. Default `127.0.0.1:8180`.
    pub listen: SocketAddr,
    /// `server.plain-http` and `[tls]`: what is spoken there.
    pub transport: Transport,
    /// `[tls]`: what goes with HTTPS.
    pub https: Https,
    /// `server.records`: where accounts and signing keys are kept. Default `h5live.sqlite`.
    pub records: RecordsLocation,
    /// `server.master-key-file`: what signing keys are sealed with. Default: none.
    pub master_key_file: Option<PathBuf>,
    /// `server.trusted-proxies`: peers whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Networks,
    /// `server.proxy-protocol`: trusted proxies begin each connection with a PROXY header, version 1
    /// or 2, whose address is the client's. Default false.
    pub proxy_protocol: bool,
    /// `server.page-origins`: the pages that may open the WebSocket, as a browser's `Origin` header
    /// names them (RFC 6454 section 6.2). Empty, the default: every page, and clients that are none,
    /// as a token can be bound to a page's domain by its referer.
    pub page_origins: Vec<String>,
    /// `server.clock-skew`: seconds for which a token is taken after its expiry. Default 0.
    pub clock_skew_seconds: u64,
    /// `metrics.listen`: where Prometheus may ask. Default: nowhere.
    pub metrics: Option<SocketAddr>,
    /// `[console]`: the operator's page. Default: none.
    pub console: Option<Console>,
    /// `[rtsp]`: the door for players that speak RTSP. Default: none.
    pub rtsp: Option<Rtsp>,
    /// `server.open-streams`: the streams that the open doors play without a token. Default: none.
    pub open_streams: OpenStreams,
    /// `[verify]`: the headers in which a web server in front tells of its clients' requests.
    pub verify: VerifyHeaders,
    /// `server.on-expiry`: what happens to viewers whose token expires while they play. Default `keep`.
    pub on_expiry: OnExpiry,
    /// `server.io-uring`: whether viewers are written to by io_uring. Default `auto`.
    pub fanout: Means,
    /// `[limits]`.
    pub limits: Limits,
    /// `[[origins]]`: the RTMP applications that streams are pulled from.
    pub origins: Vec<OriginConfig>,
    /// `[origin.embedded]`: the RTMP origin in this process. Default: none.
    pub embedded: Option<Embedded>,
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
            .parsed("listen", |text| address(text, "127.0.0.1:8180"))?
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8180)));
        let plain_http = server.flag("plain-http")?.unwrap_or(false);
        let records = server
            .parsed("records", |text| RecordsLocation::parse(text, directory))?
            .unwrap_or_else(|| RecordsLocation::Sqlite(directory.join("h5live.sqlite")));
        let records = with_password_file(records, &mut server, directory)?;
        let master_key_file = server.text("master-key-file")?;
        let trusted_proxies =
            Networks::from(server.parsed_list("trusted-proxies", Network::parse)?);
        let proxy_protocol = server.flag("proxy-protocol")?.unwrap_or(false);
        if proxy_protocol && trusted_proxies == Networks::default() {
            return Err(server.wrong(
                "proxy-protocol",
                "is true, but server.trusted-proxies names nobody. Write the proxy's address there.",
            ));
        }
        let page_origins = server
            .parsed_list_or_missing("page-origins", origins::page_origin)?
            .map_or(Ok(Vec::new()), origins::pages)
            .map_err(|problem| server.wrong("page-origins", problem))?;
        let clock_skew_seconds = server.whole_seconds("clock-skew", 0, 0, 300)?;
        let open_streams = server.parsed_list("open-streams", open_stream)?;
        let on_expiry = server.parsed("on-expiry", on_expiry)?.unwrap_or_default();
        let fanout = server.parsed("io-uring", io_uring)?.unwrap_or_default();
        server.finish()?;

        let (transport, https) = tls::read(root.section("tls")?, listen, plain_http, directory)?;
        let mut metrics = root.section("metrics")?;
        let metrics_listen = metrics.parsed("listen", |text| {
            let own = address(text, "127.0.0.1:9180")?;
            match own == listen || https.redirect == Some(own) {
                true => Err("is taken by another listener. Write another port.".into()),
                false => Ok(own),
            }
        })?;
        metrics.finish()?;
        let taken: Vec<_> = [Some(listen), https.redirect, metrics_listen]
            .into_iter()
            .flatten()
            .filter(|address| address.port() != 0)
            .collect();
        let console = console::read(root.section("console")?, &transport, &taken)?;
        let taken: Vec<_> = (taken.into_iter())
            .chain(console.iter().map(|console| console.listen))
            .collect();
        let rtsp = rtsp::read(root.section("rtsp")?, &transport, &taken)?;
        let limits = Limits::read(root.section("limits")?)?;
        let verify = verify::read(root.section("verify")?)?;
        let origins = origins::read(root.sections("origins")?)?;
        let mut origin = root.section("origin")?;
        let embedded = embedded::read(origin.section("embedded")?, directory)?;
        origin.finish()?;
        let selectable: Vec<_> = (origins.iter().cloned())
            .chain(embedded.iter().map(Embedded::as_origin))
            .collect();
        Origins::new(&selectable).map_err(|error| ConfigError::Wrong {
            key: "origins".to_owned(),
            problem: error.to_string(),
        })?;
        root.finish()?;
        Ok(Self {
            listen,
            transport,
            https,
            records,
            master_key_file: master_key_file.map(|path| directory.join(path)),
            trusted_proxies,
            proxy_protocol,
            page_origins,
            clock_skew_seconds,
            metrics: metrics_listen,
            console,
            rtsp,
            open_streams: open_streams.into_iter().collect(),
            verify,
            on_expiry,
            fanout,
            limits,
            origins,
            embedded,
        })
    }
}

fn address(text: &str, example: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("\"{text}\" is not an address with a port. Write e.g. \"{example}\"."))
}

fn open_stream(text: &str) -> Result<OpenStream, String> {
    OpenStream::parse(text).map_err(|error| format!("\"{text}\": {error}."))
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

fn io_uring(text: &str) -> Result<Means, String> {
    match text {
        "auto" => Ok(Means::Auto),
        "off" => Ok(Means::Epoll),
        "required" => Ok(Means::IoUring),
        _ => Err(format!(
            "\"{text}\" is not known. Write \"auto\", \"off\" or \"required\"."
        )),
    }
}

fn with_password_file(
    mut records: RecordsLocation,
    server: &mut Section,
    directory: &Path,
) -> Result<RecordsLocation, ConfigError> {
    const KEY: &str = "records-password-file";
    if let Some(path) = server.text(KEY)? {
        records
            .set_password_file(directory.join(path))
            .map_err(|problem| server.wrong(KEY, problem))?;
    }
    Ok(records)
}
