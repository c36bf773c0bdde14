//! Why no grant was given.

/// One reason each. The text and [`Denial::code`] are for the operator's log: a client is told no
/// more than the [`Denial::kind`], so that it does not learn which part of a forgery was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denial {
    /// No `token`, or an empty one.
    #[error("the request has no token: mint one and pass all four security parameters on")]
    TokenMissing,
    /// No `options`, or an empty one.
    #[error(
        "the request has no options: pass on all four security parameters of the minting response"
    )]
    OptionsMissing,
    /// `options` says that an expiry is bound, and `expires` is not there.
    #[error("options has the expires bit, but the request has no expires: pass it on")]
    ExpiresMissing,
    /// `options` says that a tag is bound, and `tag` is not there.
    #[error("options has the tag bit, but the request has no tag: pass it on")]
    TagMissing,
    /// The token is right and no longer valid.
    #[error("the token has expired: mint a new one")]
    Expired,
    /// A security parameter comes more than once (`token`: more than twice).
    #[error("the parameter {0} is repeated: pass it once")]
    Repeated(&'static str),
    /// Not 50 characters of canonical base64url.
    #[error("the token is not 50 characters of base64url: it was cut or altered on its way")]
    TokenMalformed,
    /// A version of the format that this program does not know.
    #[error("the token has a version other than 1: mint it for this server")]
    TokenVersion,
    /// Not a plain decimal number.
    #[error("options is not a plain decimal number: pass it on as it was minted")]
    OptionsMalformed,
    /// A bit that has no meaning.
    #[error("options has a bit that this server does not know: pass it on as it was minted")]
    OptionsUnknown,
    /// Not a plain decimal number of seconds.
    #[error("expires is not a plain decimal number: pass it on as it was minted")]
    ExpiresMalformed,
    /// Given although `options` says that none is bound.
    #[error("expires is given, but options has no expires bit: pass both on as they were minted")]
    ExpiresUnbound,
    /// Not 1 to 255 bytes without control characters.
    #[error(
        "the tag is longer than 255 bytes or has a control character: pass it on as it was minted"
    )]
    TagMalformed,
    /// Given although `options` says that none is bound.
    #[error("a tag is given, but options has no tag bit: pass both on as they were minted")]
    TagUnbound,
    /// The token is bound to a page's host, and the request names no page.
    #[error(
        "the token is bound to a referer, and the request has no Origin or Referer that names a web page"
    )]
    RefererMissing,
    /// No record has the token's key id in this scope.
    #[error(
        "no record of this stream or organisation has the token's key: it was withdrawn, or never registered"
    )]
    KeyUnknown,
    /// The mac is not that of the request: another stream, address, page, expiry, tag or options, or a forgery.
    #[error(
        "the token was not minted for this stream, address, page, expiry, tag and options together"
    )]
    Mismatch,
    /// An open door was asked for a stream that is not open.
    #[error(
        "the operator has not declared this stream open: play it through a gated door with a token, or add it to open-streams"
    )]
    NotOpen,
    /// The records could not be asked.
    #[error("the records cannot be reached and this key is not cached: try again")]
    RecordsUnavailable,
}

/// What a client is told of a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DenialKind {
    /// A needed parameter is missing, or the time is over.
    MissingOrExpired,
    /// Anything that a fresh token of the same kind would not have.
    Invalid,
    /// The verifier could not decide.
    Unavailable,
}

impl Denial {
    /// A name for logs and metrics that does not change between versions.
    pub fn code(self) -> &'static str {
        match self {
            Denial::TokenMissing => "token_missing",
            Denial::OptionsMissing => "options_missing",
            Denial::ExpiresMissing => "expires_missing",
            Denial::TagMissing => "tag_missing",
            Denial::Expired => "expired",
            Denial::Repeated(_) => "parameter_repeated",
            Denial::TokenMalformed => "token_malformed",
            Denial::TokenVersion => "token_version_unknown",
            Denial::OptionsMalformed => "options_malformed",
            Denial::OptionsUnknown => "options_unknown",
            Denial::ExpiresMalformed => "expires_malformed",
            Denial::ExpiresUnbound => "expires_not_bound",
            Denial::TagMalformed => "tag_malformed",
            Denial::TagUnbound => "tag_not_bound",
            Denial::RefererMissing => "referer_missing",
            Denial::KeyUnknown => "key_unknown",
            Denial::Mismatch => "mismatch",
            Denial::NotOpen => "not_open",
            Denial::RecordsUnavailable => "records_unavailable",
        }
    }

    /// What the client is told.
    pub fn kind(self) -> DenialKind {
        match self {
            Denial::TokenMissing
            | Denial::OptionsMissing
            | Denial::ExpiresMissing
            | Denial::TagMissing
            | Denial::Expired => DenialKind::MissingOrExpired,
            Denial::RecordsUnavailable => DenialKind::Unavailable,
            Denial::Repeated(_)
            | Denial::TokenMalformed
            | Denial::TokenVersion
            | Denial::OptionsMalformed
            | Denial::OptionsUnknown
            | Denial::ExpiresMalformed
            | Denial::ExpiresUnbound
            | Denial::TagMalformed
            | Denial::TagUnbound
            | Denial::RefererMissing
            | Denial::KeyUnknown
            | Denial::Mismatch
            | Denial::NotOpen => DenialKind::Invalid,
        }
    }
}
