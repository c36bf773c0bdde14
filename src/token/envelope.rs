//! A token as it travels.
//!
//! ```text
//! token   base64url without padding (RFC 4648, 5) of
//!         version   1 byte, 1
//!         kid       4 bytes
//!         mac       32 bytes            37 bytes, 50 characters
//! ```

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Denial, Kid};

const VERSION: u8 = 1;
const BYTES: usize = 37;
const CHARACTERS: usize = 50;

/// The parts of a token.
#[derive(Clone)]
pub(super) struct Envelope {
    pub(super) kid: Kid,
    pub(super) mac: [u8; 32],
}

impl Envelope {
    pub(super) fn write(&self) -> String {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1..5].copy_from_slice(&self.kid.0);
        bytes[5..].copy_from_slice(&self.mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the one spelling of a token: no padding, no other alphabet, no stray bits at the end.
    pub(super) fn read(token: &str) -> Result<Envelope, Denial> {
        if token.len() != CHARACTERS {
            return Err(Denial::TokenMalformed);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| Denial::TokenMalformed)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| Denial::TokenMalformed)?;
        let [version, k0, k1, k2, k3, mac @ ..] = bytes;
        if version != VERSION {
            return Err(Denial::TokenVersion);
        }
        Ok(Envelope {
            kid: Kid([k0, k1, k2, k3]),
            mac,
        })
    }
}
