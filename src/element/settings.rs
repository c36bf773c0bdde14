//! The element's properties, and what they come to when it starts.

use std::fs::File;
use std::io::{self, Read};
use std::net::{AddrParseError, IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::http::tls::TlsFiles;
use crate::token::{Secret, SecretError, StreamName, StreamNameError};

const DEFAULT_ADDRESS: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 8181;

/// More than a secret and its line end can have.
const LONGEST_SECRET_FILE: u64 = 4096;

/// As set, not yet checked. No `Debug`: it holds the secret.
#[derive(Clone)]
pub(super) struct Settings {
    stream_name: Option<String>,
    secret: Option<String>,
    secret_file: Option<String>,
    address: String,
    port: u16,
    tls_certificate_file: Option<String>,
    tls_key_file: Option<String>,
    plain_http: bool,
}

/// Checked and read.
pub(super) struct Resolved {
    pub stream: StreamName,
    pub secret: Secret,
    pub address: SocketAddr,
    pub tls: Option<TlsFiles>,
    pub plain_http: bool,
}

/// Why the element can't start as it is set.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("no stream-name is set: set it to the name that tokens are made for, e.g. ABCDE-demo")]
    NoStreamName,
    #[error("stream-name {0:?} is no stream name: {1}")]
    StreamName(String, StreamNameError),
    #[error(
        "no secret is set: set secret-file to a file that holds the secret (16 to 256 bytes), or secret to the secret itself"
    )]
    NoSecret,
    #[error("both secret and secret-file are set: set one of them")]
    TwoSecrets,
    #[error("secret-file {0:?} can't be read ({1}); create it with a secret of 16 to 256 bytes")]
    SecretFile(String, io::Error),
    #[error("the secret does not do: {0}")]
    Secret(#[from] SecretError),
    #[error("address {0:?} is no IP address ({1}); set e.g. 127.0.0.1, or 0.0.0.0 for all")]
    Address(String, AddrParseError),
    #[error("only one of tls-certificate-file and tls-key-file is set: TLS needs both")]
    HalfTls,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stream_name: None,
            secret: None,
            secret_file: None,
            address: DEFAULT_ADDRESS.to_owned(),
            port: DEFAULT_PORT,
            tls_certificate_file: None,
            tls_key_file: None,
            plain_http: false,
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
            secret: self.read_secret()?,
            address: SocketAddr::new(ip, self.port),
            tls,
            plain_http: self.plain_http,
        })
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

    /// Sets a property from its value. `false`: there is none of that name and type.
    pub fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        fn take<'a, T: glib::value::FromValue<'a>>(value: &'a glib::Value, to: &mut T) -> bool {
            value.get().map(|value| *to = value).is_ok()
        }
        match name {
            "stream-name" => take(value, &mut self.stream_name),
            "secret" => take(value, &mut self.secret),
            "secret-file" => take(value, &mut self.secret_file),
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
            _ => false,
        }
    }

    /// A property's value. The secret reads as null.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        Some(match name {
            "stream-name" => self.stream_name.to_value(),
            "secret" => None::<String>.to_value(),
            "secret-file" => self.secret_file.to_value(),
            "address" => self.address.to_value(),
            "port" => u32::from(self.port).to_value(),
            "tls-certificate-file" => self.tls_certificate_file.to_value(),
            "tls-key-file" => self.tls_key_file.to_value(),
            "plain-http" => self.plain_http.to_value(),
            _ => return None,
        })
    }
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

/// All properties of the element.
pub(super) fn properties() -> &'static [glib::ParamSpec] {
    static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
        let text = |name, nick, blurb| {
            glib::ParamSpecString::builder(name)
                .nick(nick)
                .blurb(blurb)
                .mutable_ready()
        };
        vec![
            text(
                "stream-name",
                "Stream name",
                "The stream that tokens are made for: an organisation hash, then \"-\" and letters, digits or \"_\", e.g. ABCDE-demo",
            )
            .build(),
            text(
                "secret",
                "Secret",
                "What tokens are made with, 16 to 256 bytes; reads as null. On a command line others can see it: use secret-file there",
            )
            .build(),
            text(
                "secret-file",
                "Secret file",
                "File that holds the secret, 16 to 256 bytes; a line end after it is not part of it",
            )
            .build(),
            text("address", "Address", "IP address to listen on")
                .default_value(Some(DEFAULT_ADDRESS))
                .build(),
            glib::ParamSpecUInt::builder("port")
                .nick("Port")
                .blurb("TCP port to listen on; 0 takes a free one, see bound-port")
                .maximum(u32::from(u16::MAX))
                .default_value(u32::from(DEFAULT_PORT))
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("bound-port")
                .nick("Bound port")
                .blurb("TCP port that it listens on; 0 while it does not")
                .maximum(u32::from(u16::MAX))
                .read_only()
                .build(),
            text(
                "tls-certificate-file",
                "TLS certificate file",
                "PEM file with the certificate chain, leaf first; with tls-key-file it serves HTTPS only",
            )
            .build(),
            text(
                "tls-key-file",
                "TLS key file",
                "PEM file with the certificate's private key",
            )
            .build(),
            glib::ParamSpecBoolean::builder("plain-http")
                .nick("Plain HTTP")
                .blurb("Serve without TLS on an address that is not loopback")
                .mutable_ready()
                .build(),
            glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb("Counts since it was started: video-frames, audio-frames, refused-frames, init-segments, fragments, bytes")
                .read_only()
                .build(),
        ]
    });
    PROPERTIES.as_ref()
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
        assert!(resolved.tls.is_none());
    }

    #[test]
    fn each_refusal_names_what_to_set() {
        type Row = (&'static str, fn(&mut Settings));
        let rows: [Row; 7] = [
            ("stream-name", |s| s.stream_name = None),
            ("stream name", |s| s.stream_name = Some("x socks=1".into())),
            ("secret-file", |s| s.secret = None),
            ("16 to 256 bytes", |s| s.secret = Some("short".into())),
            ("secret-file", |s| s.secret_file = Some("x".into())),
            ("127.0.0.1", |s| s.address = "localhost".into()),
            ("tls-key-file", |s| s.tls_key_file = Some("key.pem".into())),
        ];
        for (said, change) in rows {
            let error = refusal(change);
            assert!(error.contains(said), "{said} in {error}");
        }
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
