//! The proof that a token was verified: the only key to media.

use std::net::IpAddr;

use crate::token::{Claims, Host, Kid, Orga, Scope, StreamName, Tag, UnixSeconds};

/// Permission to play one stream. Only [`Presented::verify`](super::Presented::verify) makes one, or
/// [`OpenStreams::grant`](super::OpenStreams::grant) where the operator wants no token; no other module could.
/// Holds no secret and no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    stream: StreamName,
    claims: Claims,
    kid: Kid,
    revision: u64,
    open: bool,
    deadline: Option<UnixSeconds>,
}

impl Grant {
    pub(super) fn new(stream: StreamName, claims: Claims, kid: Kid, revision: u64) -> Grant {
        Grant {
            stream,
            claims,
            kid,
            revision,
            open: false,
            deadline: None,
        }
    }

    pub(super) fn open(mut self) -> Grant {
        self.open = true;
        self
    }

    /// The same for a shorter time: it never lasts longer than its token.
    pub fn until(mut self, at: UnixSeconds) -> Grant {
        let at = self.claims.expires.map_or(at, |expires| expires.min(at));
        self.claims.expires = Some(at);
        self.deadline = Some(at);
        self
    }

    /// When it ends also a session that plays, because somebody has said so ([`Grant::until`]).
    pub fn deadline(&self) -> Option<UnixSeconds> {
        self.deadline
    }

    /// Whether it was given without a token, for a stream that the operator declares open. Its key and
    /// revision then stand for nothing.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The stream that was asked for, also where the token opens a whole organisation.
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// Whether the stream is one of this organisation.
    pub fn is_of(&self, orga: &Orga) -> bool {
        let name = self.stream.as_str().strip_prefix(orga.as_str());
        name.is_some_and(|rest| rest.starts_with('-'))
    }

    /// What the token opens.
    pub fn scope(&self) -> &Scope {
        &self.claims.scope
    }

    /// The token's tag.
    pub fn tag(&self) -> Option<&Tag> {
        self.claims.tag.as_ref()
    }

    /// The first second at which it is no longer valid.
    pub fn expires(&self) -> Option<UnixSeconds> {
        self.claims.expires
    }

    /// The address that the token is bound to; IPv4 never in its IPv6-mapped form.
    pub fn ip(&self) -> Option<IpAddr> {
        self.claims.ip
    }

    /// The page's host that the token is bound to.
    pub fn referer(&self) -> Option<&Host> {
        self.claims.referer.as_ref()
    }

    /// The key that the token was made with.
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// The revision of that key's record, so that withdrawing it ends what it opened.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}
