//! Why a request to the API is refused. Pure.

use super::expires::ExpiresError;
use crate::records::RecordsError;
use crate::token::{HostError, KidError, OrgaError, SecretError, StreamNameError, TagError};

/// One variant per reason. The text is for the caller, and never holds a secret or an API key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 404
    #[error(
        "there is nothing at this path; POST to /secure/stream, /secure/token, /secure/orga or /secure/revoke"
    )]
    NoSuchPath,
    /// 405
    #[error("this path takes {allow} only")]
    Method {
        /// The methods that it takes.
        allow: &'static str,
    },
    /// 415
    #[error("send the body as JSON, with the header Content-Type: application/json")]
    ContentType,
    /// 413
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The most bytes that are taken.
        limit: usize,
    },
    /// 429
    #[error("too many refused requests; try again in {seconds} seconds")]
    TooManyFailures {
        /// Seconds until one more is taken.
        seconds: u64,
    },
    /// 401
    #[error("send an API key in the header X-BINTU-APIKEY, once")]
    NoApiKey,
    /// 401
    #[error("this API key is not known here")]
    UnknownApiKey,
    /// 400
    #[error("the body is not one JSON object (line {line}, column {column})")]
    NoObject {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// 400
    #[error("{field:?} is not known here; known are {known}")]
    UnknownField {
        /// The key, cut to 64 characters.
        field: String,
        /// The keys that may stand there.
        known: String,
    },
    /// 400
    #[error("{field:?} stands here more than once")]
    RepeatedField {
        /// The key.
        field: String,
    },
    /// 400
    #[error("{field} is missing")]
    MissingField {
        /// The key.
        field: &'static str,
    },
    /// 400
    #[error("{field} is {wanted}, not {found}")]
    WrongType {
        /// The key.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// 400
    #[error("give streamname or orga: a token is for one stream, or for all of an organisation")]
    NeitherScope,
    /// 400
    #[error(
        "give streamname or orga, not both: a token is for one stream, or for all of an organisation"
    )]
    BothScopes,
    /// 400
    #[error(transparent)]
    StreamName(#[from] StreamNameError),
    /// 400
    #[error(transparent)]
    Orga(#[from] OrgaError),
    /// 400
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// 400
    #[error("this secret was revoked and is not accepted again; choose another one")]
    SecretRevoked,
    /// 400
    #[error("this secret cannot be told apart from the one that it replaces; choose another one")]
    SecretSameKid,
    /// 400
    #[error(transparent)]
    Expires(#[from] ExpiresError),
    /// 400
    #[error(
        "ip is one IPv4 or IPv6 address such as 192.0.2.7 or 2001:db8::7, without port, prefix or zone"
    )]
    Ip,
    /// 400
    #[error(transparent)]
    Referer(#[from] HostError),
    /// 400
    #[error(transparent)]
    Tag(#[from] TagError),
    /// 400
    #[error(transparent)]
    Kid(#[from] KidError),
    /// 400
    #[error("say what to revoke: one or several of streamname, orga, kid, tag and ip")]
    NothingToRevoke,
    /// 403
    #[error("this API key acts for another organisation than that of {field}")]
    OtherOrganisation {
        /// The key that names somebody else's.
        field: &'static str,
    },
    /// 404
    #[error(
        "no secret is registered for this {field}; POST one to /secure/{} first",
        path_of(field)
    )]
    NotRegistered {
        /// The key that names it.
        field: &'static str,
    },
    /// 503
    #[error("the records cannot be used now; try again later")]
    Unavailable,
}

impl ApiError {
    /// The HTTP status (RFC 9110 section 15; 429 is RFC 6585).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NoApiKey | Self::UnknownApiKey => 401,
            Self::OtherOrganisation { .. } => 403,
            Self::NoSuchPath | Self::NotRegistered { .. } => 404,
            Self::Method { .. } => 405,
            Self::TooLarge { .. } => 413,
            Self::ContentType => 415,
            Self::TooManyFailures { .. } => 429,
            Self::Unavailable => 503,
            _ => 400,
        }
    }

    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "no_such_path",
            Self::Method { .. } => "method_not_allowed",
            Self::ContentType => "content_type_not_json",
            Self::TooLarge { .. } => "body_too_large",
            Self::TooManyFailures { .. } => "too_many_failures",
            Self::NoApiKey => "api_key_missing",
            Self::UnknownApiKey => "api_key_unknown",
            Self::NoObject { .. } => "body_malformed",
            Self::UnknownField { .. } => "field_unknown",
            Self::RepeatedField { .. } => "field_repeated",
            Self::MissingField { .. } => "field_missing",
            Self::WrongType { .. } => "field_of_wrong_type",
            Self::NeitherScope => "streamname_or_orga_missing",
            Self::BothScopes => "streamname_and_orga",
            Self::StreamName(_) => "streamname_malformed",
            Self::Orga(_) => "orga_malformed",
            Self::Secret(_) => "secret_of_wrong_length",
            Self::SecretRevoked => "secret_revoked",
            Self::SecretSameKid => "secret_not_distinct",
            Self::Expires(error) => error.code(),
            Self::Ip => "ip_malformed",
            Self::Referer(_) => "referer_malformed",
            Self::Tag(_) => "tag_malformed",
            Self::Kid(_) => "kid_malformed",
            Self::NothingToRevoke => "nothing_to_revoke",
            Self::OtherOrganisation { .. } => "other_organisation",
            Self::NotRegistered { .. } => "not_registered",
            Self::Unavailable => "records_unavailable",
        }
    }

    /// The field of the body that is to blame, where one is.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        let field: &str = match self {
            Self::UnknownField { field, .. } | Self::RepeatedField { field } => field,
            Self::MissingField { field }
            | Self::WrongType { field, .. }
            | Self::OtherOrganisation { field }
            | Self::NotRegistered { field } => field,
            Self::NeitherScope | Self::StreamName(_) => "streamname",
            Self::BothScopes | Self::Orga(_) => "orga",
            Self::Secret(_) | Self::SecretRevoked | Self::SecretSameKid => "secret",
            Self::Expires(_) => "expires",
            Self::Ip => "ip",
            Self::Referer(_) => "referer",
            Self::Tag(_) => "tag",
            Self::Kid(_) => "kid",
            _ => return None,
        };
        Some(field)
    }
}

/// Where the secret of a `streamname` or an `orga` is registered.
fn path_of(field: &str) -> &'static str {
    match field {
        "orga" => "orga",
        _ => "stream",
    }
}

impl From<RecordsError> for ApiError {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Unavailable(_) => Self::Unavailable,
            RecordsError::Revoked => Self::SecretRevoked,
            RecordsError::SameKid => Self::SecretSameKid,
        }
    }
}
