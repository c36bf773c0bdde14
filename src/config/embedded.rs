//! The RTMP origin in this process (`[origin.embedded]`).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::ConfigError;
use super::origins::organisation;
use super::section::Section;
use crate::origin::{OriginConfig, table};
use crate::token::{Key, Orga, Secret, StreamName};

/// What the hub and logs call it; no `[[origins]]` may.
pub const NAME: &str = "embedded";

/// An RTMP listener for publishers.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// `listen`: where publishers connect to.
    pub listen: SocketAddr,
    /// `application`: the first part of the path in a publisher's URL. Default `live`.
    pub application: String,
    /// `urls`: by which viewers name it, beside its own address.
    pub urls: Vec<String>,
    /// `organisations`: whose streams may be played from it; empty, the default: everybody's.
    pub organisations: Vec<Orga>,
    /// `[[origin.embedded.streams]]`: what may be published, and with which key.
    pub keys: HashMap<StreamName, Key>,
}

impl PartialEq for Embedded {
    fn eq(&self, other: &Self) -> bool {
        let names = |this: &Self| {
            let mut names: Vec<_> = this.keys.keys().cloned().collect();
            names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
            names
        };
        (self.listen, &self.application, &self.urls)
            == (other.listen, &other.application, &other.urls)
            && self.organisations == other.organisations
            && names(self) == names(other)
    }
}

impl Embedded {
    /// As an origin that viewers select. It is never dialled.
    pub fn as_origin(&self) -> OriginConfig {
        let mut address = self.listen;
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        OriginConfig {
            aliases: self.urls.clone(),
            organisations: self.organisations.clone(),
            ..OriginConfig::new(NAME, &format!("rtmp://{address}/{}", self.application))
        }
    }
}

pub(super) fn read(
    mut section: Section,
    directory: &Path,
) -> Result<Option<Embedded>, ConfigError> {
    let listen = section.parsed("listen", |text| {
        text.parse::<SocketAddr>().map_err(|_| {
            format!("\"{text}\" is not an address with a port. Write e.g. \"127.0.0.1:1935\".")
        })
    })?;
    let application = section
        .parsed("application", application)?
        .unwrap_or_else(|| "live".to_owned());
    let urls = section.parsed_list("urls", |text| match table::check_url(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(problem) => Err(format!(
            "this URL {problem}. Write scheme, host and application only: \"rtmp://ingest.example.com/live\"."
        )),
    })?;
    let organisations = section.parsed_list("organisations", organisation)?;
    let mut keys = HashMap::new();
    for mut stream in section.sections("streams")? {
        let name = stream
            .parsed("name", |text| {
                StreamName::parse(text).map_err(|error| error.to_string())
            })?
            .ok_or_else(|| stream.wrong("name", "is missing."))?;
        let file = stream.required("key-file")?;
        let key =
            read_key(&directory.join(file)).map_err(|problem| stream.wrong("key-file", problem))?;
        stream.finish()?;
        if keys.insert(name.clone(), key).is_some() {
            return Err(section.wrong(
                "streams",
                format!("{name} stands here twice. Name every stream once."),
            ));
        }
    }
    section.finish()?;
    Ok(listen.map(|listen| Embedded {
        listen,
        application,
        urls,
        organisations,
        keys,
    }))
}

fn application(text: &str) -> Result<String, String> {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(fit) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "\"{text}\" is no application. Write 1 to 64 letters, digits, '-' and '_'."
    ))
}

/// A publish key is text for a URL, so what is not needed there is left out at its end.
fn read_key(path: &Path) -> Result<Key, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: can't be read ({error}).", path.display()))?;
    let text = text.trim_end();
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    {
        return Err(format!(
            "{}: a publish key holds letters, digits, '-', '.', '_' and '~'.",
            path.display()
        ));
    }
    let secret = Secret::new(text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(secret.key())
}
