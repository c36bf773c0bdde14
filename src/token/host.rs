//! The host of the page that embeds a player, in the one form in which hosts are compared.

use std::fmt;
use std::sync::Arc;

use url::Url;

/// RFC 1035, 2.3.4: 255 bytes on the wire are 253 characters of text.
const LONGEST_HOST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A host in lower-case ASCII (punycode), without a trailing dot, without a port. At most 253 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(Arc<str>);

/// Why a text is no bare domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing was given.
    #[error("a referer is a domain name such as demo.example.com, not an empty text")]
    Empty,
    /// A protocol stands before the name.
    #[error("a referer is a bare domain name: leave out the protocol")]
    Protocol,
    /// A path, query or fragment follows the name.
    #[error("a referer is a bare domain name: leave out the path")]
    Path,
    /// A port follows the name.
    #[error("a referer is a bare domain name: leave out the port")]
    Port,
    /// A character other than letters, digits, `-` and `.`.
    #[error(
        "a domain name has only letters, digits, `-` and `.`: write one in another script in punycode (xn--…)"
    )]
    Character,
    /// Longer than 253 characters.
    #[error("a domain name has at most 253 characters, this one has {0}")]
    Length(usize),
    /// A label that is empty or longer than 63 characters, or is punycode of nothing.
    #[error("each label of a domain name has 1 to 63 characters and is valid by IDNA")]
    Label,
    /// The last label is a number, as in an IP address.
    #[error(
        "the last label of a domain name is not a number: bind an address by `ip`, not by `referer`"
    )]
    TopLevel,
}

impl Host {
    /// Reads the `referer` to mint for: a bare domain name.
    ///
    /// Accepted are exactly names that [`Host::of_url`] can yield, so that no token is minted for a
    /// host that no page can have. Case is folded; a trailing dot is refused.
    pub fn bare(text: &str) -> Result<Host, HostError> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if text.contains("://") {
            return Err(HostError::Protocol);
        }
        if text.contains(['/', '?', '#', '\\']) {
            return Err(HostError::Path);
        }
        if let Some((_, after)) = text.rsplit_once(':') {
            let port = after.bytes().all(|b| b.is_ascii_digit());
            return Err(if port {
                HostError::Port
            } else {
                HostError::Protocol
            });
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        {
            return Err(HostError::Character);
        }
        if text.len() > LONGEST_HOST {
            return Err(HostError::Length(text.len()));
        }
        if !text
            .split('.')
            .all(|label| (1..=LONGEST_LABEL).contains(&label.len()))
        {
            return Err(HostError::Label);
        }
        let name = text.to_ascii_lowercase();
        if name.rsplit('.').next().is_some_and(is_number) {
            return Err(HostError::TopLevel);
        }
        match url::Host::parse(&name) {
            Ok(url::Host::Domain(domain)) if domain == name => Ok(Host(domain.into())),
            _ => Err(HostError::Label),
        }
    }

    /// The host of an `Origin` or `Referer` header's value (RFC 6454, 7; RFC 9110, 10.1.3).
    ///
    /// `None` where the value names no web page: `null`, another scheme than http and https, no
    /// host, or anything that a browser does not send. Userinfo, path, query and port do not count.
    pub fn of_url(value: &str) -> Option<Host> {
        // The URL standard drops tabs and line ends, and before a query reads `\` as `/`; no browser
        // sends those.
        if value.contains(|c: char| c.is_ascii_control() || c == ' ') {
            return None;
        }
        let before_query = value.split(['?', '#']).next()?;
        if before_query.contains('\\') {
            return None;
        }
        let url = Url::parse(value).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = url.host_str()?;
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.is_empty() || host.ends_with('.') || host.len() > LONGEST_HOST {
            return None;
        }
        Some(Host(host.into()))
    }

    /// The normalised host.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the URL standard takes a last label for a part of an IPv4 address ("ends in a number").
fn is_number(label: &str) -> bool {
    let hex = label
        .strip_prefix("0x")
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || label.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
