//! What each operation may be refused for, for whoever documents the API. Pure.

use super::expires::{ExpiresError, LONGEST_SECONDS};
use super::{ApiError, BODY_LIMIT, Operation};
use crate::token::{HostError, KidError, OrgaError, SecretError, StreamNameError, TagError};

/// The time that the examples are of: that of the seed's.
const EXAMPLE: u64 = 1_591_747_200;

impl ApiError {
    /// One refusal of every code.
    #[must_use]
    pub fn every() -> Vec<Self> {
        vec![
            Self::NoSuchPath,
            Self::Method { allow: "POST" },
            Self::ContentType,
            Self::TooLarge { limit: BODY_LIMIT },
            Self::TooManyFailures { seconds: 3 },
            Self::NoApiKey,
            Self::UnknownApiKey,
            Self::NoObject { line: 1, column: 2 },
            Self::UnknownField {
                field: "expiry".to_owned(),
                known: "streamname, orga, expires, ip, referer, tag".to_owned(),
            },
            Self::RepeatedField {
                field: "streamname".to_owned(),
            },
            Self::MissingField { field: "secret" },
            Self::WrongType {
                field: "streamname",
                wanted: "a string",
                found: "a number",
            },
            Self::NeitherScope,
            Self::BothScopes,
            Self::StreamName(StreamNameError::Part),
            Self::Orga(OrgaError),
            Self::Secret(SecretError::Length(8)),
            Self::SecretRevoked,
            Self::SecretSameKid,
            Self::Expires(ExpiresError::Form),
            Self::Expires(ExpiresError::Milliseconds {
                given: EXAMPLE * 1000,
            }),
            Self::Expires(ExpiresError::Past {
                given: EXAMPLE,
                now: EXAMPLE + 1,
            }),
            Self::Expires(ExpiresError::TooFar {
                given: EXAMPLE + 2 * LONGEST_SECONDS,
                latest: EXAMPLE + LONGEST_SECONDS,
            }),
            Self::Ip,
            Self::Referer(HostError::Protocol),
            Self::Tag(TagError::Control),
            Self::Kid(KidError),
            Self::NothingToRevoke,
            Self::OtherOrganisation {
                field: "streamname",
            },
            Self::NotRegistered {
                field: "streamname",
            },
            Self::Unavailable,
        ]
    }
}

impl Operation {
    /// One refusal of each code that it may meet. Another method than its own is not its matter.
    #[must_use]
    pub fn refusals(&self) -> Vec<ApiError> {
        let every = ApiError::every().into_iter();
        every.filter(|error| self.may_meet(error)).collect()
    }

    fn has_body(&self) -> bool {
        !matches!(self, Self::DeleteStream(_) | Self::DeleteOrga)
    }

    // Without `_`, so that a new reason has to say where it belongs, and stand in `every`.
    fn may_meet(&self, error: &ApiError) -> bool {
        match error {
            ApiError::Method { .. } => false,
            ApiError::NoSuchPath => matches!(self, Self::DeleteStream(_)),
            // Whatever is asked, a body may come along.
            ApiError::TooLarge { .. }
            | ApiError::TooManyFailures { .. }
            | ApiError::NoApiKey
            | ApiError::UnknownApiKey
            | ApiError::Unavailable => true,
            ApiError::ContentType
            | ApiError::NoObject { .. }
            | ApiError::UnknownField { .. }
            | ApiError::RepeatedField { .. }
            | ApiError::WrongType { .. } => self.has_body(),
            ApiError::MissingField { .. }
            | ApiError::Secret(_)
            | ApiError::SecretRevoked
            | ApiError::SecretSameKid => matches!(self, Self::Stream | Self::Orga),
            ApiError::NeitherScope
            | ApiError::BothScopes
            | ApiError::Expires(_)
            | ApiError::Referer(_) => matches!(self, Self::Token),
            ApiError::StreamName(_) => !matches!(self, Self::Orga | Self::DeleteOrga),
            ApiError::Orga(_) => matches!(self, Self::Orga | Self::Token | Self::Revoke),
            ApiError::Ip | ApiError::Tag(_) => matches!(self, Self::Token | Self::Revoke),
            ApiError::Kid(_) | ApiError::NothingToRevoke => matches!(self, Self::Revoke),
            ApiError::OtherOrganisation { .. } => !matches!(self, Self::DeleteOrga),
            ApiError::NotRegistered { .. } => {
                matches!(self, Self::Token | Self::DeleteStream(_) | Self::DeleteOrga)
            }
        }
    }
}
