//! Secrets, and the signing keys that are made of them.

use std::fmt;
use std::str::FromStr;

use super::message;

const SHORTEST_SECRET: usize = 16;
const LONGEST_SECRET: usize = 256;

/// What an operator and a minting backend share. 16 to 256 bytes. `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why bytes are refused as a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short to withstand guessing against a token's mac, or too long.
    #[error(
        "a secret has 16 to 256 bytes, this one has {0}: anyone with a token can guess at a short one"
    )]
    Length(usize),
}

/// The name by which a token says which secret it was made with. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kid(pub [u8; 4]);

/// A text is no key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 8 lower-case hexadecimal digits")]
pub struct KidError;

/// What macs are made with. It mints as well as the secret does, so it is kept as one; `Debug` does
/// not show it.
#[derive(Clone)]
pub struct Key {
    kid: Kid,
    signing: [u8; 32],
    revision: u64,
}

impl Secret {
    /// Takes 16 to 256 bytes as they are.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Secret, SecretError> {
        let bytes = bytes.into();
        if !(SHORTEST_SECRET..=LONGEST_SECRET).contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Secret(bytes))
    }

    /// The id that tokens of this secret carry.
    pub fn kid(&self) -> Kid {
        message::kid(&self.0)
    }

    /// The signing key of this secret, with revision 0: no record numbers it.
    pub fn key(&self) -> Key {
        Key {
            kid: self.kid(),
            signing: message::signing_key(&self.0),
            revision: 0,
        }
    }
}

impl Key {
    /// A key as a record stores it. `revision` is the record's, and comes back in the `Grant`.
    pub fn from_parts(kid: Kid, signing: [u8; 32], revision: u64) -> Key {
        Key {
            kid,
            signing,
            revision,
        }
    }

    /// The id that tokens of this key carry.
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// The revision of the record that the key stands in.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The bytes to store, sealed.
    pub fn signing_bytes(&self) -> &[u8; 32] {
        &self.signing
    }

    /// Whether both come from one secret, whatever their revisions. Takes the same time either way.
    pub fn same_secret(&self, other: &Key) -> bool {
        message::matches(other, b"", &message::mac(self, b""))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// Eight lower-case hexadecimal digits.
impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for Kid {
    type Err = KidError;

    fn from_str(text: &str) -> Result<Kid, KidError> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !digits || text.len() != 8 {
            return Err(KidError);
        }
        u32::from_str_radix(text, 16)
            .map(|n| Kid(n.to_be_bytes()))
            .map_err(|_| KidError)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_secret_has_16_to_256_bytes() {
        for length in [16, 17, 64, 65, 256] {
            Secret::new(vec![7; length]).unwrap();
        }
        for length in [0, 1, 15, 257] {
            let error = Secret::new(vec![7; length]).unwrap_err();
            assert_eq!(error, SecretError::Length(length));
            assert!(error.to_string().contains("16 to 256 bytes"));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = Secret::new("sixteen bytes at least").unwrap();
        let key = secret.key();
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        let shown = format!("{key:?}");
        assert!(
            shown.contains("kid") && !shown.contains("signing"),
            "{shown}"
        );
        assert!(
            !shown.contains(&format!("{:?}", key.signing_bytes())),
            "{shown}"
        );
    }

    #[test]
    fn a_kid_is_written_as_it_is_read() {
        let kid = Kid([0, 0x1f, 0xa0, 0xff]);
        assert_eq!(kid.to_string(), "001fa0ff");
        assert_eq!("001fa0ff".parse(), Ok(kid));
        for text in [
            "",
            "001fa0f",
            "001fa0ff0",
            "001FA0FF",
            "+01fa0ff",
            "001fa0fg",
            " 01fa0ff",
            "éééé",
        ] {
            assert_eq!(text.parse::<Kid>(), Err(KidError), "{text:?}");
        }
    }

    #[test]
    fn keys_are_compared_by_their_secret_alone() {
        let key = Secret::new("sixteen bytes at least").unwrap().key();
        let other = Secret::new("sixteen bytes at least!").unwrap().key();
        assert!(key.same_secret(&Key::from_parts(key.kid(), *key.signing_bytes(), 7)));
        assert!(!key.same_secret(&other));
        assert!(!key.same_secret(&Key::from_parts(key.kid(), *other.signing_bytes(), 0)));
    }
}
