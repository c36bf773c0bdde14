//! Making tokens.

use std::fmt;

use super::envelope::Envelope;
use super::{Claims, Key, Options, message};

/// What a player needs to play: the seed's `h5live.security`. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// 50 characters of base64url.
    pub token: String,
    /// Unix seconds in decimal; empty where not bound.
    pub expires: String,
    /// Empty where not bound.
    pub tag: String,
    /// What the token is bound to.
    pub options: Options,
}

/// Mints a token for claims. The same key and claims give the same token.
///
/// Whether `expires` lies in a sensible range is for the caller to say: this knows no time.
pub fn mint(key: &Key, claims: &Claims) -> Minted {
    let mac = message::mac(key, &message::message(claims));
    Minted {
        token: Envelope {
            kid: key.kid(),
            mac,
        }
        .write(),
        expires: claims.expires.map(|at| at.to_string()).unwrap_or_default(),
        tag: claims
            .tag
            .as_ref()
            .map(|tag| tag.as_str().to_owned())
            .unwrap_or_default(),
        options: claims.options(),
    }
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted")
            .field("token", &"redacted")
            .field("expires", &self.expires)
            .field("tag", &self.tag)
            .field("options", &self.options)
            .finish()
    }
}
