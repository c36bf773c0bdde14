//! By what a token is known again, without being kept.

use sha2::{Digest, Sha256};

/// The first half of SHA-256 over a token's mac: equal for the same token, and good for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenId([u8; 16]);

impl TokenId {
    pub(super) fn of(mac: &[u8; 32]) -> Self {
        let hash: [u8; 32] = Sha256::digest(mac).into();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(hash) {
            *to = from;
        }
        Self(id)
    }
}
