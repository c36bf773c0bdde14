//! How far ahead a token may end. Pure.

use crate::token::UnixSeconds;

/// A token ends at most 365 days ahead (seed, step 2).
pub const LONGEST_SECONDS: u64 = 365 * 24 * 60 * 60;

/// Why an end of validity is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpiresError {
    /// Not a whole number of seconds.
    #[error("expires is a Unix time in whole SECONDS, written in digits only, e.g. \"1591747200\"")]
    Form,
    /// It would be a sensible time if it were milliseconds.
    #[error(
        "expires is expected in SECONDS, and {given} looks like milliseconds: leave out the last three digits"
    )]
    Milliseconds {
        /// As it was given.
        given: u64,
    },
    /// Now, or before.
    #[error("expires {given} is in the past: it is {now} now, in Unix seconds")]
    Past {
        /// As it was given.
        given: u64,
        /// The server's clock.
        now: u64,
    },
    /// More than 365 days ahead.
    #[error(
        "expires {given} is more than 365 days ahead: at most {latest} is accepted now, in Unix seconds"
    )]
    TooFar {
        /// As it was given.
        given: u64,
        /// The latest time that would be accepted.
        latest: u64,
    },
}

impl ExpiresError {
    /// A stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Form => "expires_malformed",
            Self::Milliseconds { .. } => "expires_in_milliseconds",
            Self::Past { .. } => "expires_in_the_past",
            Self::TooFar { .. } => "expires_too_far_ahead",
        }
    }
}

/// Accepts Unix seconds after `now` and at most 365 days after it.
///
/// # Errors
/// See [`ExpiresError`]; never [`ExpiresError::Form`].
pub fn check(given: u64, now: UnixSeconds) -> Result<UnixSeconds, ExpiresError> {
    let latest = now.0.saturating_add(LONGEST_SECONDS);
    if given <= now.0 {
        return Err(ExpiresError::Past { given, now: now.0 });
    }
    if given <= latest {
        return Ok(UnixSeconds(given));
    }
    // Ten years to either side: a time in milliseconds, past or future, whoever meant it.
    let slack = 10 * LONGEST_SECONDS;
    let sensible = now.0.saturating_sub(slack)..=latest.saturating_add(slack);
    if sensible.contains(&(given / 1000)) {
        return Err(ExpiresError::Milliseconds { given });
    }
    Err(ExpiresError::TooFar { given, latest })
}

/// Reads digits, without sign, spaces, exponent or leading zeros.
///
/// # Errors
/// [`ExpiresError::Form`]
pub fn digits(text: &str) -> Result<u64, ExpiresError> {
    let canonical = text == "0" || !text.starts_with('0');
    let plain = canonical && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| plain)
        .ok_or(ExpiresError::Form)
}
