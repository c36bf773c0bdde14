//! What a token says, and what a connection shows.

use std::fmt;
use std::net::IpAddr;

use super::{Host, Options, Orga, StreamName, Tag};

/// A point in time: seconds since 1970-01-01 00:00:00 UTC, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u64);

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which streams a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One stream.
    Stream(StreamName),
    /// Every stream of an organisation.
    Orga(Orga),
}

impl Scope {
    /// Reads what [`Scope::as_str`] gives: only a stream's name has a `-`.
    pub fn parse(text: &str) -> Option<Scope> {
        match text.contains('-') {
            true => StreamName::parse(text).ok().map(Scope::Stream),
            false => Orga::parse(text).ok().map(Scope::Orga),
        }
    }

    /// The organisation that the scope belongs to.
    pub fn orga(&self) -> Orga {
        match self {
            Scope::Stream(name) => name.orga(),
            Scope::Orga(orga) => orga.clone(),
        }
    }

    /// The stream's name or the organisation's hash.
    pub fn as_str(&self) -> &str {
        match self {
            Scope::Stream(name) => name.as_str(),
            Scope::Orga(orga) => orga.as_str(),
        }
    }
}

/// All that a token is bound to. A field that is `None` is not bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// What may be played.
    pub scope: Scope,
    /// The first second at which the token is no longer valid.
    pub expires: Option<UnixSeconds>,
    /// The client's address. An IPv4-mapped IPv6 address is the same as its IPv4 address.
    pub ip: Option<IpAddr>,
    /// The host of the page that plays.
    pub referer: Option<Host>,
    /// A text of the minter's choice, which must come along.
    pub tag: Option<Tag>,
}

impl Claims {
    /// The claims of a token that is bound to nothing but its scope.
    pub fn of(scope: Scope) -> Claims {
        Claims {
            scope,
            expires: None,
            ip: None,
            referer: None,
            tag: None,
        }
    }

    /// The bit set that says which fields are bound.
    pub fn options(&self) -> Options {
        let bits = [
            (self.expires.is_some(), Options::EXPIRES),
            (self.ip.is_some(), Options::IP),
            (self.referer.is_some(), Options::REFERER),
            (self.tag.is_some(), Options::TAG),
            (matches!(self.scope, Scope::Orga(_)), Options::ORGA),
        ];
        let bound = bits.into_iter().filter(|(bound, _)| *bound);
        bound.fold(Options::NONE, |set, (_, bit)| set.union(bit))
    }
}

/// What a connection shows by itself, whatever its request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The client's address, after the operator's trusted proxies.
    pub ip: IpAddr,
    /// The host of `Origin`, else of `Referer`; `None` where neither names a web page.
    pub referer: Option<Host>,
}
