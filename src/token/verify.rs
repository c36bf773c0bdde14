//! Parameters, facts, a time and a key in; a grant or a denial out.
//!
//! In this order: what is missing or malformed (costs nothing), the mac, the expiry. So only the
//! holder of a token that was once valid is told that it has expired.

mod grant;
mod open;

use std::fmt;

pub use grant::Grant;
pub use open::{OpenStream, OpenStreamError, OpenStreams};

use super::envelope::Envelope;
use super::{
    Claims, Denial, Facts, Key, Kid, Options, Parameters, Scope, StreamName, Tag, TokenId,
    UnixSeconds, message,
};

/// A token that was read and not yet verified: it proves nothing.
#[derive(Clone)]
pub struct Presented {
    stream: StreamName,
    envelope: Envelope,
    scope: Scope,
    expires: Option<UnixSeconds>,
    tag: Option<Tag>,
    options: Options,
}

/// What the records say of a token's scope and key id.
#[derive(Clone, Debug)]
pub enum KeyLookup {
    /// The key of that id.
    Found(Key),
    /// There is none.
    Unknown,
    /// The records cannot be asked now.
    Unavailable,
}

impl Presented {
    /// Reads what a request for `stream` presents.
    pub fn read(parameters: &Parameters, stream: &StreamName) -> Result<Presented, Denial> {
        let token = given(&parameters.token).ok_or(Denial::TokenMissing)?;
        let options = given(&parameters.options).ok_or(Denial::OptionsMissing)?;
        let envelope = Envelope::read(token)?;
        let options = read_options(options)?;
        let expires = read_bound(
            &parameters.expires,
            options.contains(Options::EXPIRES),
            Denial::ExpiresMissing,
            Denial::ExpiresUnbound,
        )?;
        let expires = match expires {
            Some(text) => Some(UnixSeconds(
                plain_decimal(text).ok_or(Denial::ExpiresMalformed)?,
            )),
            None => None,
        };
        let tag = read_bound(
            &parameters.tag,
            options.contains(Options::TAG),
            Denial::TagMissing,
            Denial::TagUnbound,
        )?;
        let tag = tag
            .map(Tag::parse)
            .transpose()
            .map_err(|_| Denial::TagMalformed)?;
        let scope = match options.contains(Options::ORGA) {
            true => Scope::Orga(stream.orga()),
            false => Scope::Stream(stream.clone()),
        };
        Ok(Presented {
            stream: stream.clone(),
            envelope,
            scope,
            expires,
            tag,
            options,
        })
    }

    /// Where to look the key up: the stream, or its organisation where the token says so.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Which key of that scope.
    pub fn kid(&self) -> Kid {
        self.envelope.kid
    }

    /// By what the same token is known again. Not part of a [`Grant`]: most who verify need none.
    pub fn token_id(&self) -> TokenId {
        TokenId::of(&self.envelope.mac)
    }

    /// Verifies what was presented against the connection's facts.
    ///
    /// Valid while `now` is before `expires` plus `skew_seconds`; at that second it has expired. A
    /// sum that does not fit stands for the end of time. An unknown key costs the mac of a known one.
    pub fn verify(
        &self,
        lookup: KeyLookup,
        facts: &Facts,
        now: UnixSeconds,
        skew_seconds: u64,
    ) -> Result<Grant, Denial> {
        let claims = self.claims(facts)?;
        let (key, known) = match lookup {
            KeyLookup::Found(key) => {
                let known = key.kid() == self.kid();
                (key, known)
            }
            KeyLookup::Unknown => (Key::from_parts(self.kid(), [0; 32], 0), false),
            KeyLookup::Unavailable => return Err(Denial::RecordsUnavailable),
        };
        let matches = message::matches(&key, &message::message(&claims), &self.envelope.mac);
        if !known {
            return Err(Denial::KeyUnknown);
        }
        if !matches {
            return Err(Denial::Mismatch);
        }
        if self
            .expires
            .is_some_and(|at| now.0 >= at.0.saturating_add(skew_seconds))
        {
            return Err(Denial::Expired);
        }
        Ok(Grant::new(
            self.stream.clone(),
            claims,
            key.kid(),
            key.revision(),
        ))
    }

    /// What a token that is valid for this request and connection must have claimed.
    fn claims(&self, facts: &Facts) -> Result<Claims, Denial> {
        let ip = self
            .options
            .contains(Options::IP)
            .then(|| facts.ip.to_canonical());
        let referer = match self.options.contains(Options::REFERER) {
            true => Some(facts.referer.clone().ok_or(Denial::RefererMissing)?),
            false => None,
        };
        Ok(Claims {
            scope: self.scope.clone(),
            expires: self.expires,
            ip,
            referer,
            tag: self.tag.clone(),
        })
    }
}

/// A parameter that is there and not empty.
fn given(parameter: &Option<String>) -> Option<&str> {
    parameter.as_deref().filter(|text| !text.is_empty())
}

/// A parameter must be given exactly where its bit is set.
fn read_bound(
    parameter: &Option<String>,
    bound: bool,
    missing: Denial,
    unbound: Denial,
) -> Result<Option<&str>, Denial> {
    match (given(parameter), bound) {
        (None, true) => Err(missing),
        (Some(_), false) => Err(unbound),
        (text, _) => Ok(text),
    }
}

fn read_options(text: &str) -> Result<Options, Denial> {
    let number = plain_decimal(text).ok_or(Denial::OptionsMalformed)?;
    let bits = u8::try_from(number).map_err(|_| Denial::OptionsUnknown)?;
    Options::from_bits(bits).ok_or(Denial::OptionsUnknown)
}

/// A number in the one spelling that minting writes: no sign, no leading zero, no space.
fn plain_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("stream", &self.stream)
            .field("kid", &self.kid())
            .field("options", &self.options)
            .field("expires", &self.expires)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
