//! Operators' passwords: made by us, shown once, kept as an argon2id hash (RFC 9106).
//!
//! ```text
//! password = 7 groups of 4 characters of Crockford's base32, joined by '-'     140 random bits
//! hash     = argon2id, 19 MiB, 2 passes, 1 lane, 16 bytes of salt, 32 bytes out; a PHC string
//! ```
//!
//! The parameters are OWASP's first choice for argon2id (Password Storage Cheat Sheet). A password of
//! 140 bits needs no slow hash; one that an operator puts into the records by hand may.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// Crockford's base32: no i, l, o and u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const GROUPS: usize = 7;
const GROUP: usize = 4;

/// Longer ones are no password of ours, and are not hashed.
pub const LONGEST: usize = 128;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT: usize = 16;

/// What an unknown operator's password is compared with, so that it costs what a known one's does. It is
/// the hash of nothing: nobody knows what gives it.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why there is no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password can't be hashed ({0}); see whether 20 MiB of memory are free")]
pub struct HashError(String);

/// A password of random bytes, which the caller draws from the system's generator.
#[must_use]
pub fn of_random(random: [u8; 32]) -> String {
    let characters = random.iter().take(GROUPS * GROUP);
    let mut password = String::with_capacity(GROUPS * (GROUP + 1));
    for (index, byte) in characters.enumerate() {
        if index > 0 && index % GROUP == 0 {
            password.push('-');
        }
        password.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    password
}

/// What is kept of a password.
///
/// # Errors
/// [`HashError`]
pub fn hash(password: &str, random: [u8; 32]) -> Result<String, HashError> {
    let fail = |error: &dyn std::fmt::Display| HashError(error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| fail(&error))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (salt, _) = random.split_at(SALT);
    let hash = argon2
        .hash_password_with_salt(plain(password).as_bytes(), salt)
        .map_err(|error| fail(&error))?;
    Ok(hash.to_string())
}

/// Whether a password is the one of this hash; `None`: the operator is unknown, which costs the same.
/// Takes tens of milliseconds of a processor.
#[must_use]
pub fn is_right(password: &str, hash: Option<&str>) -> bool {
    let argon2 = Argon2::default();
    let compared = hash.unwrap_or(NOBODY);
    let matches = argon2.verify_password(plain(password).as_bytes(), compared);
    matches.is_ok() && hash.is_some()
}

/// As it was made, from what somebody has typed: Crockford's base32 takes look-alikes for one another.
fn plain(typed: &str) -> String {
    let kept = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    kept.map(|c| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    })
    .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_readable_and_opens_its_own_hash_only() {
        let mut random = [0; 32];
        random
            .iter_mut()
            .zip(0..)
            .for_each(|(byte, at)| *byte = at * 7);
        let password = of_random(random);
        assert_eq!(password, "07en-w3ah-rz6d-mv29-gqy5-ckt1-8fpx");
        assert_eq!(password.len(), GROUPS * (GROUP + 1) - 1);
        let hash = hash(&password, [9; 32]).unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(is_right(&password, Some(&hash)));
        let typed = password.to_uppercase().replace('-', " ").replace('0', "O");
        assert!(is_right(&typed, Some(&hash)));
        assert!(!is_right(&password[1..], Some(&hash)));
        assert!(!is_right(&password, None));
        assert!(!is_right("", Some("no hash")));
    }

    #[test]
    fn an_unknown_operator_costs_what_a_known_one_does() {
        let parsed = argon2::PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&parsed).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (MEMORY_KIB, PASSES, LANES)
        );
        assert_eq!(parsed.hash.unwrap().len(), 32);
    }
}
