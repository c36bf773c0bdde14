//! What a stream is known by: which configured origin it comes from, and its name there.

use std::fmt;
use std::sync::Arc;

use crate::token::StreamName;

/// The name that the operator gave an origin in the configuration; never an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginName(Arc<str>);

impl OriginName {
    /// Takes the operator's word for it.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OriginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One stream of one origin; the hub's key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// Where it comes from.
    pub origin: OriginName,
    /// What it is called there.
    pub stream: StreamName,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.origin, self.stream)
    }
}
