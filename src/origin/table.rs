//! Which origins there are, and what is dialled for a stream. Pure.
//!
//! ```text
//! viewer's url   ─ Address::parse ─▶ compared with the operator's urls and aliases ─▶ OriginName
//! no url         ─ the first origin that the stream's organisation may use ─────────▶ OriginName
//! OriginName, StreamName ─▶ Location, of the operator's url and the name alone
//! ```
//!
//! librtmp reads a location as `url key=value …`, so whoever can put a space into it chooses what is
//! dialled and what is played. Nothing of a viewer's gets there but a [`StreamName`], which holds
//! letters, digits, `-` and `_` only.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use url::Url;

use crate::hub::OriginName;
use crate::token::{Orga, StreamName};

/// RTMP's port, where a URL names none.
const RTMP_PORT: u16 = 1935;

/// RTMP over TLS.
const RTMPS_PORT: u16 = 443;

const LONGEST_URL: usize = 2048;

/// librtmp takes two segments for the application and would count a third to the stream's name.
const MOST_SEGMENTS: usize = 2;

/// The element that pulls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceElement {
    /// `rtmpsrc`, over librtmp. It crashes where an origin hands on what a malicious publisher can send:
    /// values nested too deeply.
    RtmpSrc,
    /// `rtmp2src`, GStreamer's own.
    #[default]
    Rtmp2Src,
}

/// One origin, as the operator describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginConfig {
    /// What logs call it; unique.
    pub name: String,
    /// Scheme, host, port and application of what is dialled, e.g. `rtmp://127.0.0.1:1935/live`.
    pub url: String,
    /// Other URLs by which viewers may name it. Never dialled.
    pub aliases: Vec<String>,
    /// The organisations whose streams may be played from it; empty: all.
    pub organisations: Vec<Orga>,
    /// What pulls.
    pub element: SourceElement,
    /// After so long without a byte the source gives up. Whole seconds, at least one.
    pub timeout: Duration,
}

impl OriginConfig {
    /// `rtmp2src`, no aliases, every organisation, 3 s.
    pub fn new(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            aliases: Vec::new(),
            organisations: Vec::new(),
            element: SourceElement::default(),
            timeout: Duration::from_secs(3),
        }
    }
}

/// Why a list of origins is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No URL of an RTMP application.
    #[error(
        "origin {name}: {url:?} {reason}; write scheme, host and application, e.g. rtmp://127.0.0.1/live"
    )]
    Url {
        /// The origin's name.
        name: String,
        /// The URL or alias.
        url: String,
        /// What is wrong with it.
        reason: AddressError,
    },
    /// A name stands for one origin.
    #[error("two origins are called {0}; give each its own name")]
    Name(String),
    /// A viewer's URL selects one origin.
    #[error("origin {name}: {url:?} leads to two origins; name every URL once")]
    Twice {
        /// The second origin's name.
        name: String,
        /// The URL or alias.
        url: String,
    },
    /// The source's timeout is in seconds.
    #[error("origin {0}: the timeout is less than a second; set at least 1 s")]
    Timeout(String),
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// An RTMP application's URL is short.
    #[error("has more than 2048 bytes")]
    Long,
    /// Spaces, quotes, control characters, backslashes and the like.
    #[error("holds a character that an RTMP URL does not need")]
    Character,
    /// The parser's verdict.
    #[error("can't be read")]
    Unreadable,
    /// Not `rtmp` or `rtmps`.
    #[error("is not an RTMP URL")]
    Scheme,
    /// No host, or not a name or an address.
    #[error("names no host")]
    Host,
    /// A user, a password, `?` or `#`.
    #[error("holds a user, a password, '?' or '#'")]
    Extra,
    /// None, or one of more than two segments.
    #[error("names no application of one or two parts")]
    Application,
}

/// An RTMP application, in the one form in which two are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Address {
    scheme: &'static str,
    host: String,
    port: u16,
    application: String,
}

/// Whether a text is the URL of an RTMP application, as operators may write it.
pub fn check_url(text: &str) -> Result<(), AddressError> {
    Address::parse(text).map(drop)
}

/// What the source element is told. `Display` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location(String);

/// The operator's origins.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<Origin>);

/// One of them, checked.
#[derive(Clone, Debug)]
pub struct Origin {
    name: OriginName,
    address: Address,
    aliases: Vec<Address>,
    organisations: Vec<Orga>,
    element: SourceElement,
    timeout: Duration,
}

impl Origins {
    /// Checks the operator's list.
    pub fn new(configs: &[OriginConfig]) -> Result<Self, OriginError> {
        let mut names = HashSet::new();
        let mut addresses = HashSet::new();
        let mut origins = Vec::with_capacity(configs.len());
        for config in configs {
            if !names.insert(&config.name) {
                return Err(OriginError::Name(config.name.clone()));
            }
            if config.timeout < Duration::from_secs(1) {
                return Err(OriginError::Timeout(config.name.clone()));
            }
            let mut parse = |url: &String| {
                let (name, url) = (config.name.clone(), url.clone());
                match Address::parse(&url) {
                    Err(reason) => Err(OriginError::Url { name, url, reason }),
                    Ok(address) if addresses.insert(address.clone()) => Ok(address),
                    Ok(_) => Err(OriginError::Twice { name, url }),
                }
            };
            origins.push(Origin {
                address: parse(&config.url)?,
                aliases: config.aliases.iter().map(parse).collect::<Result<_, _>>()?,
                organisations: config.organisations.clone(),
                name: OriginName::new(&config.name),
                element: config.element,
                timeout: config.timeout,
            });
        }
        Ok(Self(origins))
    }

    /// The origin that a stream of an organisation is played from: the one that the viewer's `url` names,
    /// or the first where it names none; `None` also where it may not be played from that one.
    pub fn choose(&self, url: Option<&str>, orga: &Orga) -> Option<OriginName> {
        let may_use = |origin: &&Origin| {
            origin.organisations.is_empty() || origin.organisations.contains(orga)
        };
        let origin = match url {
            Some(url) => self.named(url).filter(may_use),
            None => self.0.iter().find(may_use),
        };
        origin.map(|origin| origin.name.clone())
    }

    /// The origin that a viewer's `url` names, by scheme, host, port and application.
    pub fn select(&self, url: &str) -> Option<OriginName> {
        self.named(url).map(|origin| origin.name.clone())
    }

    fn named(&self, url: &str) -> Option<&Origin> {
        let address = Address::parse(url).ok()?;
        let is_named = |it: &&Origin| it.address == address || it.aliases.contains(&address);
        self.0.iter().find(is_named)
    }

    /// What is dialled for a stream.
    pub fn location(&self, origin: &OriginName, stream: &StreamName) -> Option<Location> {
        Some(self.get(origin)?.location(stream))
    }

    /// An origin by its name.
    pub fn get(&self, name: &OriginName) -> Option<&Origin> {
        self.0.iter().find(|origin| origin.name == *name)
    }
}

impl Origin {
    /// What pulls from it.
    pub fn element(&self) -> SourceElement {
        self.element
    }

    /// After so long without a byte the source gives up.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is dialled for a stream.
    pub fn location(&self, stream: &StreamName) -> Location {
        let url = format!("{}/{stream}", self.address);
        Location(match self.element {
            // Without it librtmp first asks for a recording of that name.
            SourceElement::RtmpSrc => format!("{url} live=1"),
            SourceElement::Rtmp2Src => url,
        })
    }
}

impl Address {
    fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > LONGEST_URL {
            return Err(AddressError::Long);
        }
        // Before the URL parser, which drops or encodes some of these.
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b":/.-_~[]?#@%".contains(&byte);
        if !text.bytes().all(fit) {
            return Err(AddressError::Character);
        }
        let url = Url::parse(text).map_err(|_| AddressError::Unreadable)?;
        let (scheme, default_port) = match url.scheme() {
            "rtmp" => ("rtmp", RTMP_PORT),
            "rtmps" => ("rtmps", RTMPS_PORT),
            _ => return Err(AddressError::Scheme),
        };
        let extra = [url.query(), url.fragment(), url.password()];
        // Also the empty ones: `rtmp://@host/live?` says that its writer means something by them.
        if extra.iter().any(Option::is_some) || text.contains('@') {
            return Err(AddressError::Extra);
        }
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        // What stands in brackets is an IPv6 address that the parser has read.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if host.is_empty() || !(host.starts_with('[') || host.bytes().all(plain)) {
            return Err(AddressError::Host);
        }
        let path = url.path();
        let path = path.strip_prefix('/').unwrap_or(path);
        let application = path.strip_suffix('/').unwrap_or(path);
        let segments = application.split('/');
        let fit = |segment: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~".contains(&byte);
            !segment.is_empty() && segment.bytes().all(plain)
        };
        if segments.clone().count() > MOST_SEGMENTS || !segments.clone().all(fit) {
            return Err(AddressError::Application);
        }
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port: url.port().unwrap_or(default_port),
            application: application.to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            host,
            port,
            application,
        } = self;
        write!(f, "{scheme}://{host}:{port}/{application}")
    }
}

impl Location {
    /// The text for the element's property.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
