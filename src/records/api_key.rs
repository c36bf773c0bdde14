//! API keys: shown once, kept as a hash.
//!
//! ```text
//! API key = "h5l_" ‖ base64url-nopad( 32 random bytes )      47 characters
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// An API key in the clear. `Debug` does not show it.
#[derive(Clone)]
pub struct ApiKey(String);

/// The SHA-256 of a whole API key. The key has 256 random bits, so a plain hash cannot be guessed
/// back, and a look-up by it shows nothing of the key in its timing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKey {
    /// Makes a key of random bytes, which the caller draws from the system's generator.
    #[must_use]
    pub fn of_random(random: [u8; 32]) -> Self {
        Self(format!("h5l_{}", URL_SAFE_NO_PAD.encode(random)))
    }

    /// The key in the clear, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash::of(self.0.as_bytes())
    }
}

impl ApiKeyHash {
    /// The hash of a key as a client presents it.
    #[must_use]
    pub fn of(presented: &[u8]) -> Self {
        Self(Sha256::digest(presented).into())
    }

    /// The 32 bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyHash(redacted)")
    }
}
