//! The element's properties, and what they come to when it starts.

use std::fs::File;
use std::io::{self, Read};
use std::net::{AddrParseError, IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::properties::{DEFAULT_ADDRESS, DEFAULT_AUTHORIZE_TIMEOUT, DEFAULT_PORT, OnExpiry};
use super::records::Wanted;
use super::sync::Timing;
use crate::http::networks::Network;
use crate::http::standalone::Options;
use crate::http::tls::TlsFiles;
use crate::token::{Key, Secret, SecretError, StreamName, StreamNameError};

/// More than a secret and its line end can have.
const LONGEST_SECRET_FILE: u64 = 4096;

/// As set, not yet checked. No `Debug`: it holds the secret, or a password.
#[derive(Clone)]
pub(super) struct Settings {
    stream_name: Option<String>,
    secret: Option<String>,
    secret_file: Option<String>,
    records: Option<String>,
    records_password_file: Option<String>,
    master_key_file: Option<String>,
    address: String,
    port: u16,
    tls_certificate_file: Option<String>,
    tls_key_file: Option<String>,
    plain_http: bool,
    open: bool,
    hls: bool,
    hls_part_duration: u32,
    hls_window: u32,
    on_expiry: OnExpiry,
    max_clients: u32,
    client_backlog: u32,
    gop_cache: u32,
    trusted_proxies: Option<String>,
    page_origins: Option<String>,
    authorize_timeout: u32,
    timing: Timing,
}

/// Checked and read.
pub(super) struct Resolved {
    pub stream: StreamName,
    pub authority: Authority,
    pub open: bool,
    pub address: SocketAddr,
    pub options: Options,
    pub plain_http: bool,
    pub authorize_timeout: Duration,
}

/// What tokens are signed with.
pub(super) enum Authority {
    /// This key.
    Key(Key),
    /// The keys in these records.
    Records(Wanted),
}

/// Why the element can't start as it is set.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("no stream-name is set: set it to the name that tokens are made for, e.g. ABCDE-demo")]
    NoStreamName,
    #[error("stream-name {0:?} is no stream name: {1}")]
    StreamName(String, StreamNameError),
    #[error(
        "no secret is set: set secret-file to a file that holds the secret (16 to 256 bytes), secret to the secret itself, or records to where h5live-server keeps its records"
    )]
    NoSecret,
    #[error("more than one of secret, secret-file and records is set: set one of them")]
    TwoSecrets,
    #[error("{0}")]
    Records(String),
    #[error("records-password-file or master-key-file is set without records: set records too")]
    NoRecords,
    #[error("secret-file {0:?} can't be read ({1}); create it with a secret of 16 to 256 bytes")]
    SecretFile(String, io::Error),
    #[error("the secret does not do: {0}")]
    Secret(#[from] SecretError),
    #[error("address {0:?} is no IP address ({1}); set e.g. 127.0.0.1, or 0.0.0.0 for all")]
    Address(String, AddrParseError),
    #[error("only one of tls-certificate-file and tls-key-file is set: TLS needs both")]
    HalfTls,
    #[error("trusted-proxies can't be read: {0}")]
    TrustedProxies(String),
    #[error("the system gives no random bytes ({0}); set secret-file")]
    Random(getrandom::Error),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stream_name: None,
            secret: None,
            secret_file: None,
            records: None,
            records_password_file: None,
            master_key_file: None,
            address: DEFAULT_ADDRESS.to_owned(),
            port: DEFAULT_PORT,
            tls_certificate_file: None,
            tls_key_file: None,
            plain_http: false,
            open: false,
            hls: true,
            hls_part_duration: Options::default().hls_part,
            hls_window: narrow(Options::default().hls_segments),
            on_expiry: OnExpiry::Keep,
            max_clients: narrow(Options::default().viewers),
            client_backlog: narrow(Options::default().lag_bytes),
            gop_cache: narrow(Options::default().ring_bytes),
            trusted_proxies: None,
            page_origins: None,
            authorize_timeout: DEFAULT_AUTHORIZE_TIMEOUT,
            timing: Timing::default(),
        }
    }
}

impl Settings {
    /// Checks all and reads the secret.
    pub fn resolve(&self) -> Result<Resolved, SettingsError> {
        let name = self.stream_name.as_deref();
        let name = name.ok_or(SettingsError::NoStreamName)?;
        let stream = StreamName::parse(name)
            .map_err(|error| SettingsError::StreamName(name.to_owned(), error))?;
        let ip: IpAddr = (self.address.parse())
            .map_err(|error| SettingsError::Address(self.address.clone(), error))?;
        let tls = match (&self.tls_certificate_file, &self.tls_key_file) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: PathBuf::from(certificate),
                key: PathBuf::from(key),
            }),
            (None, None) => None,
            _ => return Err(SettingsError::HalfTls),
        };
        Ok(Resolved {
            stream,
            authority: self.authority()?,
            open: self.open,
            address: SocketAddr::new(ip, self.port),
            options: Options {
                tls,
                viewers: wide(self.max_clients),
                lag_bytes: wide(self.client_backlog),
                ring_bytes: wide(self.gop_cache),
                on_expiry: self.on_expiry.into(),
                hls: self.hls,
                hls_part: self.hls_part_duration,
                hls_segments: wide(self.hls_window),
                trusted: listed(&self.trusted_proxies)
                    .map(Network::parse)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(SettingsError::TrustedProxies)?
                    .into(),
                page_origins: listed(&self.page_origins)
                    .map(str::to_ascii_lowercase)
                    .collect(),
            },
            plain_http: self.plain_http,
            authorize_timeout: Duration::from_millis(self.authorize_timeout.into()),
        })
    }

    fn authority(&self) -> Result<Authority, SettingsError> {
        let (password, master_key) = (&self.records_password_file, &self.master_key_file);
        match (&self.records, &self.secret, &self.secret_file) {
            (Some(records), None, None) => {
                Wanted::read(records, password.as_deref(), master_key.as_deref())
                    .map(Authority::Records)
                    .map_err(SettingsError::Records)
            }
            (Some(_), _, _) => Err(SettingsError::TwoSecrets),
            (None, _, _) if password.is_some() || master_key.is_some() => {
                Err(SettingsError::NoRecords)
            }
            (None, _, _) => self.key().map(Authority::Key),
        }
    }

    fn key(&self) -> Result<Key, SettingsError> {
        if self.open && self.secret.is_none() && self.secret_file.is_none() {
            // Known to nobody: the gated door then lets nobody in.
            let mut bytes = vec![0; 32];
            getrandom::fill(&mut bytes).map_err(SettingsError::Random)?;
            return Ok(Secret::new(bytes)?.key());
        }
        Ok(self.read_secret()?.key())
    }

    fn read_secret(&self) -> Result<Secret, SettingsError> {
        let bytes = match (&self.secret, &self.secret_file) {
            (Some(secret), None) => secret.clone().into_bytes(),
            (None, Some(path)) => read_secret_file(path)
                .map_err(|error| SettingsError::SecretFile(path.clone(), error))?,
            (None, None) => return Err(SettingsError::NoSecret),
            (Some(_), Some(_)) => return Err(SettingsError::TwoSecrets),
        };
        Ok(Secret::new(bytes)?)
    }

    /// When buffers are published.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Sets a property from its value. `false`: there is none of that name and type.
    pub fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        fn take<'a, T: glib::value::FromValue<'a>>(value: &'a glib::Value, to: &mut T) -> bool {
            value.get().map(|value| *to = value).is_ok()
        }
        match name {
            "stream-name" => take(value, &mut self.stream_name),
            "secret" => take(value, &mut self.secret),
            "secret-file" => take(value, &mut self.secret_file),
            "records" => take(value, &mut self.records),
            "records-password-file" => take(value, &mut self.records_password_file),
            "master-key-file" => take(value, &mut self.master_key_file),
            "address" => value.get::<Option<String>>().is_ok_and(|address| {
                self.address = address.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
                true
            }),
            "port" => value
                .get::<u32>()
                .is_ok_and(|port| u16::try_from(port).map(|port| self.port = port).is_ok()),
            "tls-certificate-file" => take(value, &mut self.tls_certificate_file),
            "tls-key-file" => take(value, &mut self.tls_key_file),
            "plain-http" => take(value, &mut self.plain_http),
            "open" => take(value, &mut self.open),
            "hls" => take(value, &mut self.hls),
            "hls-part-duration" => take(value, &mut self.hls_part_duration),
            "hls-window" => take(value, &mut self.hls_window),
            "on-expiry" => take(value, &mut self.on_expiry),
            "max-clients" => take(value, &mut self.max_clients),
            "client-backlog" => take(value, &mut self.client_backlog),
            "gop-cache" => take(value, &mut self.gop_cache),
            "trusted-proxies" => take(value, &mut self.trusted_proxies),
            "page-origins" => take(value, &mut self.page_origins),
            "authorize-timeout" => take(value, &mut self.authorize_timeout),
            "sync" => take(value, &mut self.timing.sync),
            "qos" => take(value, &mut self.timing.qos),
            "ts-offset" => take(value, &mut self.timing.ts_offset),
            _ => false,
        }
    }

    /// A property's value. The secret reads as null, and so do the records: a password may stand there.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        Some(match name {
            "stream-name" => self.stream_name.to_value(),
            "secret" | "records" => None::<String>.to_value(),
            "secret-file" => self.secret_file.to_value(),
            "records-password-file" => self.records_password_file.to_value(),
            "master-key-file" => self.master_key_file.to_value(),
            "address" => self.address.to_value(),
            "port" => u32::from(self.port).to_value(),
            "tls-certificate-file" => self.tls_certificate_file.to_value(),
            "tls-key-file" => self.tls_key_file.to_value(),
            "plain-http" => self.plain_http.to_value(),
            "open" => self.open.to_value(),
            "hls" => self.hls.to_value(),
            "hls-part-duration" => self.hls_part_duration.to_value(),
            "hls-window" => self.hls_window.to_value(),
            "on-expiry" => self.on_expiry.to_value(),
            "max-clients" => self.max_clients.to_value(),
            "client-backlog" => self.client_backlog.to_value(),
            "gop-cache" => self.gop_cache.to_value(),
            "trusted-proxies" => self.trusted_proxies.to_value(),
            "page-origins" => self.page_origins.to_value(),
            "authorize-timeout" => self.authorize_timeout.to_value(),
            "sync" => self.timing.sync.to_value(),
            "qos" => self.timing.qos.to_value(),
            "ts-offset" => self.timing.ts_offset.to_value(),
            _ => return None,
        })
    }
}

pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The parts of a comma list.
fn listed(list: &Option<String>) -> impl Iterator<Item = &str> {
    let parts = list.as_deref().unwrap_or_default().split(',');
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// A file's bytes without the line end that an editor leaves.
fn read_secret_file(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST_SECRET_FILE)
        .read_to_end(&mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn good() -> Settings {
        Settings {
            stream_name: Some("ABCDE-demo".to_owned()),
            secret: Some("a secret for tests".to_owned()),
            ..Settings::default()
        }
    }

    fn key(settings: &Settings) -> Key {
        match settings.resolve().unwrap().authority {
            Authority::Key(key) => key,
            Authority::Records(_) => panic!("records"),
        }
    }

    fn refusal(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = good();
        change(&mut settings);
        match settings.resolve() {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_defaults_listen_on_loopback() {
        let resolved = good().resolve().unwrap();
        assert_eq!(resolved.address.to_string(), "127.0.0.1:8181");
        assert!(resolved.options.tls.is_none());
    }

    #[test]
    fn each_refusal_names_what_to_set() {
        type Row = (&'static str, fn(&mut Settings));
        let rows: [Row; 10] = [
            ("stream-name", |s| s.stream_name = None),
            ("stream name", |s| s.stream_name = Some("x socks=1".into())),
            ("secret-file", |s| s.secret = None),
            ("16 to 256 bytes", |s| s.secret = Some("short".into())),
            ("secret-file", |s| s.secret_file = Some("x".into())),
            ("set one of them", |s| s.records = Some("r.sqlite".into())),
            ("set records too", |s| s.master_key_file = Some("m".into())),
            ("trusted-proxies", |s| {
                s.trusted_proxies = Some("10.0.0.1/8".into())
            }),
            ("127.0.0.1", |s| s.address = "localhost".into()),
            ("tls-key-file", |s| s.tls_key_file = Some("key.pem".into())),
        ];
        for (said, change) in rows {
            let error = refusal(change);
            assert!(error.contains(said), "{said} in {error}");
        }
    }

    #[test]
    fn an_open_stream_needs_no_secret_and_each_start_has_another() {
        let settings = Settings {
            open: true,
            secret: None,
            ..good()
        };
        assert!(settings.resolve().unwrap().open);
        assert!(!key(&settings).same_secret(&key(&settings)));
        assert!(key(&good()).same_secret(&key(&good())));
    }

    #[test]
    fn the_defaults_are_those_of_the_listener() {
        assert_eq!(good().resolve().unwrap().options, Options::default());
    }

    #[test]
    fn no_refusal_shows_the_secret() {
        let error = refusal(|s| s.secret = Some("hush-hush".into()));
        assert!(!error.contains("hush-hush"), "{error}");
    }

    #[test]
    fn a_secret_file_loses_one_line_end() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("secret");
        for (written, read) in [
            ("0123456789abcdef\n", "0123456789abcdef"),
            ("0123456789abcdef\r\n", "0123456789abcdef"),
            ("0123456789abcdef\n\n", "0123456789abcdef\n"),
            ("0123456789abcdef", "0123456789abcdef"),
        ] {
            std::fs::write(&path, written).unwrap();
            let bytes = read_secret_file(path.to_str().unwrap()).unwrap();
            assert_eq!(bytes, read.as_bytes());
        }
    }
}
