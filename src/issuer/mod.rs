//! The REST API that registers secrets and mints tokens (seed, steps 1 and 2), and takes both back.
//!
//! ```text
//! POST   /secure/stream         {"streamname", "secret"}   registers; another secret replaces the first,
//!                                                          whose tokens are void and sessions over
//! POST   /secure/token          {"streamname" | "orga", …} mints
//! DELETE /secure/stream/NAME                               withdraws a stream's secret, in the same way
//! POST   /secure/orga           {"orga", "secret"}         the same two for the organisation's own
//! DELETE /secure/orga
//! POST   /secure/revoke         {"streamname", "orga", "kid", "tag", "ip": one or several}
//! ```
//!
//! `revoke` ends the sessions that match all that is given: those that play the stream by whatever
//! token; whose token opens the whole organisation; was made with that key; has that tag; that come from
//! that address. One of `streamname`, `orga` and `kid` given alone also withdraws the secrets behind it,
//! so that their tokens open nothing again. All else ends sessions only: whoever holds a good token may
//! come again, also those who watched a stream by a token of the organisation.
//!
//! `Issuer` knows requests as bytes and answers as values; `http.rs` alone knows HTTP.

mod catalogue;
mod error;
pub mod expires;
mod failures;
mod fields;
mod http;
pub mod links;
mod request;
mod secrets;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

pub use error::ApiError;
pub use failures::{FailureLimits, Failures, Subject};
pub use http::{API_KEY, ErrorBody};

use crate::records::{ApiKeyHash, Records};
use crate::token::{Minted, Orga, Scope, StreamName, UnixSeconds, Withdrawal, mint};
use request::Registration;

/// The most bytes of a body that are read.
pub const BODY_LIMIT: usize = 16 * 1024;

/// Longer API keys are not looked at.
const API_KEY_LIMIT: usize = 256;

/// Those who play, as far as the issuer has to do with them.
pub trait Live: Send + Sync {
    /// Ends the sessions that a withdrawal is about, on every door; returns how many. Called after the
    /// records have been changed.
    fn withdraw(&self, withdrawal: &Withdrawal) -> usize;
}

/// An issuer without doors: nobody plays.
struct Nobody;

impl Live for Nobody {
    fn withdraw(&self, _: &Withdrawal) -> usize {
        0
    }
}

/// Answers the API's requests.
pub struct Issuer {
    records: Arc<dyn Records>,
    live: Arc<dyn Live>,
    failures: Mutex<Failures>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `POST /secure/stream`: register a stream's secret.
    Stream,
    /// `POST /secure/token`: mint a token.
    Token,
    /// `POST /secure/orga`: register the organisation's own secret.
    Orga,
    /// `DELETE /secure/stream/{streamname}`: withdraw a stream's secret. The name as it was sent.
    DeleteStream(String),
    /// `DELETE /secure/orga`: withdraw the organisation's own secret.
    DeleteOrga,
    /// `POST /secure/revoke`: end sessions.
    Revoke,
}

/// An answer with status 200. Its JSON has the seed's shape and order of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The stream whose secret holds now, or is withdrawn. The seed shows no answer here; this one says for what.
    Stream {
        /// As it was asked for.
        streamname: String,
    },
    /// The organisation whose own secret holds now, or is withdrawn.
    Orga {
        /// Its hash.
        orga: String,
    },
    /// What was revoked.
    Revoked {
        /// Sessions that were ended.
        sessions: usize,
        /// Secrets that were withdrawn.
        secrets: usize,
    },
    /// A token.
    Token {
        /// The player's configuration, as the seed shows it.
        h5live: H5Live,
    },
}

/// `h5live` of the seed's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct H5Live {
    /// `h5live.security`
    pub security: Security,
}

/// `h5live.security` of the seed's answer. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Security {
    /// Unix seconds; `""` where not bound.
    pub expires: String,
    /// `""` where not bound.
    pub tag: String,
    /// 50 characters of base64url.
    pub token: String,
    /// The bit set of what is bound, a JSON number.
    pub options: u8,
}

impl Issuer {
    /// An issuer over these records.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, limits: FailureLimits) -> Self {
        Self {
            records,
            live: Arc::new(Nobody),
            failures: Mutex::new(Failures::new(limits)),
        }
    }

    /// With those who play by what it issues.
    #[must_use]
    pub fn with_live(self, live: Arc<dyn Live>) -> Self {
        Self { live, ..self }
    }

    /// Answers one request. `address` is the client's, after trusted proxies; `api_key` is what came
    /// in the header, `None` also where it came more than once.
    ///
    /// A refusal counts against the API key once that is proven, else against the address.
    ///
    /// # Errors
    /// See [`ApiError`]. An unknown API key is refused before the body is looked at.
    pub async fn answer(
        &self,
        operation: Operation,
        api_key: Option<&[u8]>,
        body: &[u8],
        now: UnixSeconds,
        address: IpAddr,
    ) -> Result<Answer, ApiError> {
        let mut subject = Subject::address(address);
        self.check(&subject, now)?;
        let answer = async {
            if body.len() > BODY_LIMIT {
                return Err(ApiError::TooLarge { limit: BODY_LIMIT });
            }
            let api_key = api_key
                .filter(|key| !key.is_empty())
                .ok_or(ApiError::NoApiKey)?;
            if api_key.len() > API_KEY_LIMIT {
                return Err(ApiError::UnknownApiKey);
            }
            let hash = ApiKeyHash::of(api_key);
            let orga = self
                .records
                .orga_of(&hash)
                .await?
                .ok_or(ApiError::UnknownApiKey)?;
            subject = Subject::Account(hash);
            self.check(&subject, now)?;
            match operation {
                Operation::Stream => {
                    let registration = Registration::of_stream(body)?;
                    self.register(&orga, registration, now).await
                }
                Operation::Orga => {
                    let registration = Registration::of_orga(body)?;
                    self.register(&orga, registration, now).await
                }
                Operation::Token => self.mint(&orga, body, now).await,
                Operation::DeleteStream(name) => {
                    let scope = Scope::Stream(StreamName::parse(&name)?);
                    self.delete(&orga, scope, now).await
                }
                Operation::DeleteOrga => self.delete(&orga, Scope::Orga(orga.clone()), now).await,
                Operation::Revoke => self.revoke(&orga, body, now).await,
            }
        };
        let answer = answer.await;
        if let Err(error) = &answer {
            self.count(subject, error, now);
        }
        answer
    }

    /// Counts a refusal that was found before [`Issuer::answer`] could be asked; returns what to
    /// answer.
    fn refuse(&self, error: ApiError, now: UnixSeconds, address: IpAddr) -> ApiError {
        let subject = Subject::address(address);
        if let Err(wait) = self.check(&subject, now) {
            return wait;
        }
        self.count(subject, &error, now);
        error
    }

    async fn mint(&self, orga: &Orga, body: &[u8], now: UnixSeconds) -> Result<Answer, ApiError> {
        let claims = request::claims(body, now)?;
        let field = request::field_of(&claims.scope);
        request::own(&claims.scope.orga(), orga, field)?;
        let key = self.records.current_key(&claims.scope).await?;
        let key = key.ok_or(ApiError::NotRegistered { field })?;
        let minted = mint(&key, &claims);
        tracing::debug!(scope = claims.scope.as_str(), options = %minted.options, "a token is minted");
        Ok(Answer::Token {
            h5live: H5Live {
                security: minted.into(),
            },
        })
    }

    fn check(&self, subject: &Subject, now: UnixSeconds) -> Result<(), ApiError> {
        match self.failures().wait(subject, now) {
            None => Ok(()),
            Some(seconds) => Err(ApiError::TooManyFailures { seconds }),
        }
    }

    fn count(&self, subject: Subject, error: &ApiError, now: UnixSeconds) {
        // Waiting is the price already, and our own trouble is not the caller's fault.
        if !matches!(
            error,
            ApiError::TooManyFailures { .. } | ApiError::Unavailable
        ) {
            self.failures().count(subject, now);
        }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Minted> for Security {
    fn from(minted: Minted) -> Self {
        Self {
            expires: minted.expires,
            tag: minted.tag,
            token: minted.token,
            options: minted.options.bits(),
        }
    }
}

impl std::fmt::Debug for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Security")
            .field("expires", &self.expires)
            .field("tag", &self.tag)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
