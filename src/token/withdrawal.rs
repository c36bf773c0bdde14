//! What is taken back, and which grants that ends. Pure.

use std::net::IpAddr;

use super::{Grant, Kid, Orga, Scope, StreamName, Tag};

/// A change that ends what was granted before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// A record was replaced or revoked: what its older revisions signed opens nothing any more.
    Record {
        /// Whose record.
        scope: Scope,
        /// The first revision that still holds; `u64::MAX` where none does.
        before: u64,
    },
    /// Somebody asked for certain sessions to end.
    Sessions(Selection),
    /// One of these, for those only that play this stream: others of the same scope may be there by other
    /// records.
    OnStream(StreamName, Box<Withdrawal>),
}

/// Sessions of one organisation. All that is given must match; nothing given is all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The organisation that all of them must belong to, whatever else is given.
    pub orga: Orga,
    /// Those that play this stream, by whatever token.
    pub stream: Option<StreamName>,
    /// Those whose token opens the whole organisation.
    pub whole_orga: bool,
    /// Those whose token was made with this key.
    pub kid: Option<Kid>,
    /// Those whose token has this tag.
    pub tag: Option<Tag>,
    /// Those at this address, bound to it or not.
    pub ip: Option<IpAddr>,
}

impl Withdrawal {
    /// The same, for those only that play this stream.
    #[must_use]
    pub fn on(self, stream: StreamName) -> Self {
        Self::OnStream(stream, Box::new(self))
    }

    /// Whether it ends a grant that is used from the address `client`.
    pub fn ends(&self, grant: &Grant, client: IpAddr) -> bool {
        match self {
            // A stream that is open to everyone needs no secret.
            Self::Record { scope, before } => {
                !grant.is_open() && grant.scope() == scope && grant.revision() < *before
            }
            Self::Sessions(selection) => selection.has(grant, client),
            Self::OnStream(stream, withdrawal) => {
                grant.stream() == stream && withdrawal.ends(grant, client)
            }
        }
    }
}

impl Selection {
    /// All sessions of an organisation.
    pub fn of(orga: Orga) -> Self {
        Self {
            orga,
            stream: None,
            whole_orga: false,
            kid: None,
            tag: None,
            ip: None,
        }
    }

    fn has(&self, grant: &Grant, client: IpAddr) -> bool {
        let stream = grant.stream();
        let whole_orga = matches!(grant.scope(), Scope::Orga(_));
        grant.is_of(&self.orga)
            && self.stream.as_ref().is_none_or(|wanted| wanted == stream)
            && (whole_orga || !self.whole_orga)
            && self.kid.is_none_or(|kid| kid == grant.kid())
            && (self.tag.is_none() || self.tag.as_ref() == grant.tag())
            && (self.ip).is_none_or(|ip| ip.to_canonical() == client.to_canonical())
    }
}

#[cfg(test)]
mod tests;
