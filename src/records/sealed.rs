//! Signing keys sealed at rest, so that a copy of the records mints no token.
//!
//! ```text
//! master key      = 32 random bytes, written as base64
//! sealed          = version:u8=1 ‖ nonce:24 ‖ XChaCha20-Poly1305( signing key:32 ) ‖ tag:16    73 bytes
//! associated data = "h5live sealed key v1" ‖ kid:4 ‖ scope
//! proof           = version:u8=1 ‖ nonce:24 ‖ tag:16, over "h5live master key v1"
//! ```
//!
//! The nonce is random, and long enough never to meet itself (draft-irtf-cfrg-xchacha section 3.1). The
//! associated data ties a sealed key to its place: moved to another scope, it does not open.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use super::RecordsError;
use crate::token::{Key, Kid};

const VERSION: u8 = 1;
const NONCE: usize = 24;
const KEY_CONTEXT: &[u8] = b"h5live sealed key v1";
const PROOF_CONTEXT: &[u8] = b"h5live master key v1";

/// How long a signing key is that is not sealed.
const PLAIN: usize = 32;

/// What signing keys are sealed with. `Debug` does not show it.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

/// A text is no master key. Does not say which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes in base64; make one by `h5live-server master-key`")]
pub struct MasterKeyError;

impl MasterKey {
    /// A key of random bytes, which the caller draws from the system's generator.
    #[must_use]
    pub fn of_random(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The base64 to keep in a safe place.
    #[must_use]
    pub fn reveal(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl FromStr for MasterKey {
    type Err = MasterKeyError;

    fn from_str(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| MasterKeyError)?;
        bytes.try_into().map(Self).map_err(|_| MasterKeyError)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(redacted)")
    }
}

/// Seals and opens with one master key, or leaves all as it is where there is none.
#[derive(Clone)]
pub(super) struct Seal(Option<XChaCha20Poly1305>);

impl Seal {
    pub(super) fn new(master_key: Option<&MasterKey>) -> Self {
        Self(master_key.map(|key| XChaCha20Poly1305::new(&key.0.into())))
    }

    /// Whether there is a master key.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_some()
    }

    /// What to store of a key of this scope.
    pub(super) fn close(&self, scope: &str, key: &Key) -> Result<Vec<u8>, RecordsError> {
        let signing = key.signing_bytes().as_slice();
        match &self.0 {
            None => Ok(signing.to_vec()),
            Some(cipher) => encrypt(cipher, &context(scope, key.kid()), signing),
        }
    }

    /// The signing bytes that were stored for this scope and kid.
    pub(super) fn open(
        &self,
        scope: &str,
        kid: Kid,
        stored: &[u8],
    ) -> Result<[u8; 32], RecordsError> {
        let opened = match &self.0 {
            None if stored.len() == PLAIN => stored.to_vec(),
            None => return Err(unavailable("they are sealed, and no master key was given")),
            // Whoever can write to the records could else plant a key of his own.
            Some(_) if stored.len() == PLAIN => {
                return Err(unavailable("a signing key in them is not sealed"));
            }
            Some(cipher) => decrypt(cipher, &context(scope, kid), stored)
                .ok_or_else(|| unavailable("a signing key in them was altered"))?,
        };
        opened
            .try_into()
            .map_err(|_| unavailable("a signing key in them cannot be read"))
    }

    /// What tells later whether a master key is this one; `None` where there is none.
    pub(super) fn proof(&self) -> Result<Option<Vec<u8>>, RecordsError> {
        let cipher = self.0.as_ref();
        cipher
            .map(|cipher| encrypt(cipher, PROOF_CONTEXT, b""))
            .transpose()
    }

    /// Whether the proof was made with this master key.
    pub(super) fn proves(&self, proof: &[u8]) -> bool {
        self.0
            .as_ref()
            .is_some_and(|cipher| decrypt(cipher, PROOF_CONTEXT, proof).is_some())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(redacted)")
    }
}

fn context(scope: &str, kid: Kid) -> Vec<u8> {
    [KEY_CONTEXT, &kid.0, scope.as_bytes()].concat()
}

fn encrypt(cipher: &XChaCha20Poly1305, aad: &[u8], msg: &[u8]) -> Result<Vec<u8>, RecordsError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce)
        .map_err(|_| unavailable("the system gives no random numbers to seal with"))?;
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg, aad })
        .map_err(|_| unavailable("a signing key cannot be sealed"))?;
    Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
}

fn decrypt(cipher: &XChaCha20Poly1305, aad: &[u8], stored: &[u8]) -> Option<Vec<u8>> {
    let sealed = stored.strip_prefix(&[VERSION])?;
    let (nonce, msg) = sealed.split_first_chunk::<NONCE>()?;
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .ok()
}

fn unavailable(reason: &str) -> RecordsError {
    RecordsError::Unavailable(reason.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::token::Secret;

    fn seal(byte: u8) -> Seal {
        Seal::new(Some(&MasterKey::of_random([byte; 32])))
    }

    fn key() -> Key {
        Secret::new("a secret of sixteen bytes").unwrap().key()
    }

    #[test]
    fn a_sealed_key_opens_in_its_place_with_its_master_key_only() {
        let (key, seal) = (key(), seal(1));
        let sealed = seal.close("AAA-one", &key).unwrap();
        assert_eq!(sealed.len(), 73);
        let opened = seal.open("AAA-one", key.kid(), &sealed).unwrap();
        assert_eq!(opened, *key.signing_bytes());
        assert_ne!(seal.close("AAA-one", &key).unwrap(), sealed, "a new nonce");
        assert!(seal.open("AAA-two", key.kid(), &sealed).is_err());
        assert!(seal.open("AAA-one", Kid([0; 4]), &sealed).is_err());
        assert!(self::seal(2).open("AAA-one", key.kid(), &sealed).is_err());
        assert!(Seal::new(None).open("AAA-one", key.kid(), &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(seal.open("AAA-one", key.kid(), &altered).is_err(), "{at}");
            assert!(
                seal.open("AAA-one", key.kid(), &sealed[..at]).is_err(),
                "{at}"
            );
        }
    }

    #[test]
    fn with_a_master_key_a_plain_key_is_not_believed() {
        let (key, open) = (key(), Seal::new(None));
        let plain = open.close("AAA-one", &key).unwrap();
        assert_eq!(plain, key.signing_bytes());
        assert!(open.open("AAA-one", key.kid(), &plain).is_ok());
        assert!(seal(1).open("AAA-one", key.kid(), &plain).is_err());
    }

    #[test]
    fn a_proof_is_of_one_master_key() {
        let proof = seal(1).proof().unwrap().unwrap();
        assert!(seal(1).proves(&proof));
        assert!(!seal(2).proves(&proof));
        assert!(!Seal::new(None).proves(&proof));
        assert_eq!(Seal::new(None).proof(), Ok(None));
    }

    #[test]
    fn a_master_key_is_read_as_it_is_written_and_not_shown() {
        let key = MasterKey::of_random([0xa5; 32]);
        let text = key.reveal();
        assert_eq!(format!("{text}\n").parse::<MasterKey>().unwrap().0, key.0);
        for wrong in ["", "AAAA", &text[1..], &text[..43], "not base64 at all"] {
            let error = wrong.parse::<MasterKey>().unwrap_err().to_string();
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
        assert_eq!(
            format!("{key:?} {:?}", seal(1)),
            "MasterKey(redacted) Seal(redacted)"
        );
    }
}
