//! Stand-ins for what a server has in its records and its configuration: one key and one origin.

use std::sync::Arc;

use h5live::http::admit::{Gate, KeySource, Lookup, OriginChoice};
use h5live::hub::OriginName;
use h5live::token::{Key, KeyLookup, Kid, Orga, Scope, StreamName};

use super::ticket;

struct OneKey(Key);

impl KeySource for OneKey {
    fn key<'a>(&'a self, _: &'a StreamName, _: &'a Scope, kid: Kid) -> Lookup<'a> {
        let found = match self.0.kid() == kid {
            true => KeyLookup::Found(self.0.clone()),
            false => KeyLookup::Unknown,
        };
        Box::pin(std::future::ready(found))
    }
}

struct OneOrigin;

impl OriginChoice for OneOrigin {
    fn select(&self, _: Option<&str>, _: &Orga) -> Option<OriginName> {
        Some(origin())
    }
}

/// The origin.
pub fn origin() -> OriginName {
    OriginName::new("bench")
}

/// Lets in whoever has one of our tickets.
pub fn gate() -> Gate {
    Gate {
        keys: Arc::new(OneKey(ticket::key())),
        origins: Arc::new(OneOrigin),
        clock: Arc::new(ticket::now),
        skew: 0,
        page_origins: Vec::new(),
        open: Default::default(),
        audience: None,
    }
}
