//! The bytes that a token's mac covers, and the mac: the only cryptography of the token.
//!
//! ```text
//! message   options   1 byte
//!           scope     2 bytes of length, then the stream's name, or the orga hash where bit 16 is set
//!           expires   8 bytes                       only where bit 1 is set
//!           ip        16 bytes, IPv4 as mapped IPv6 only where bit 2 is set (RFC 4291, 2.5.5.2)
//!           referer   2 bytes of length, host       only where bit 4 is set
//!           tag       2 bytes of length, UTF-8      only where bit 8 is set
//! mac       HMAC-SHA256( key, message )
//! key       HMAC-SHA256( secret, "h5live playback token v1" )
//! kid       first 4 bytes of HMAC-SHA256( secret, "h5live kid v1" )
//! ```
//!
//! Numbers are big-endian. The options come first and say which fields follow, and every field has a
//! fixed or a written length: so no two different claims share a message.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{Claims, Key, Kid};

const KEY_LABEL: &[u8] = b"h5live playback token v1";
const KID_LABEL: &[u8] = b"h5live kid v1";
/// SHA-256's block, FIPS 180-4, 1.
const BLOCK: usize = 64;

/// The canonical bytes of a set of claims, for those who mint elsewhere and for tests.
pub fn message(claims: &Claims) -> Vec<u8> {
    let mut out = vec![claims.options().bits()];
    text(&mut out, claims.scope.as_str());
    if let Some(expires) = claims.expires {
        out.extend(expires.0.to_be_bytes());
    }
    if let Some(ip) = claims.ip {
        let ip = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        out.extend(ip.octets());
    }
    if let Some(referer) = &claims.referer {
        text(&mut out, referer.as_str());
    }
    if let Some(tag) = &claims.tag {
        text(&mut out, tag.as_str());
    }
    out
}

/// Names, hosts and tags have at most 255 bytes by their types, so the length always fits.
fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// The mac of a message.
pub(super) fn mac(key: &Key, message: &[u8]) -> [u8; 32] {
    hmac(key.signing_bytes())
        .chain_update(message)
        .finalize()
        .into_bytes()
        .into()
}

/// Whether `mac` is the message's, in a time that does not depend on where they differ.
pub(super) fn matches(key: &Key, message: &[u8], mac: &[u8; 32]) -> bool {
    hmac(key.signing_bytes())
        .chain_update(message)
        .verify_slice(mac)
        .is_ok()
}

/// The signing key of a secret.
pub(super) fn signing_key(secret: &[u8]) -> [u8; 32] {
    hmac(secret)
        .chain_update(KEY_LABEL)
        .finalize()
        .into_bytes()
        .into()
}

/// The key id of a secret.
pub(super) fn kid(secret: &[u8]) -> Kid {
    let [a, b, c, d, ..]: [u8; 32] = hmac(secret)
        .chain_update(KID_LABEL)
        .finalize()
        .into_bytes()
        .into();
    Kid([a, b, c, d])
}

/// HMAC with a key of any length, brought to one block as RFC 2104, 2 says. (The crate's own way to
/// take any length returns a `Result` that cannot fail, and a library path must not unwrap.)
fn hmac(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; BLOCK];
    if key.len() <= BLOCK {
        block[..key.len()].copy_from_slice(key);
    } else {
        let digest = Sha256::digest(key);
        block[..digest.len()].copy_from_slice(&digest);
    }
    Hmac::new(&block.into())
}
