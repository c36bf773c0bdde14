//! Request facts → verdict. The one place where a denial becomes a code of a protocol.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use hyper::StatusCode;

use super::audience::{Audience, Word};
use super::leases::End;
use crate::hub::{OriginName, Source};
use crate::token::{
    Denial, DenialKind, Facts, Grant, KeyLookup, Kid, OpenStreams, Orga, Parameters, Presented,
    Query, Scope, StreamName, TokenId, UnixSeconds,
};

/// A boxed future, so that key look-ups of any kind fit one interface.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = KeyLookup> + Send + 'a>>;

/// Where signing keys are found.
pub trait KeySource: Send + Sync {
    /// The key that a token of this scope and kid must be signed with, to open this stream.
    fn key<'a>(&'a self, stream: &'a StreamName, scope: &'a Scope, kid: Kid) -> Lookup<'a>;
}

/// Which configured origin a viewer's `url` selects; never an address to connect to.
pub trait OriginChoice: Send + Sync {
    /// `None`: no origin that the operator allows for streams of this organisation.
    fn select(&self, url: Option<&str>, orga: &Orga) -> Option<OriginName>;
}

/// What time it is.
pub type Clock = dyn Fn() -> UnixSeconds + Send + Sync;

/// By which kind of door a viewer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// A token decides, whatever the stream is declared to be.
    Gated,
    /// The operator's list of open streams decides, whatever token comes along.
    Open,
}

/// What a viewer asks for, parsed but not yet believed.
#[derive(Clone, Debug)]
pub struct ViewerRequest {
    /// The door that was asked.
    pub door: Door,
    /// The stream, without its `?a=b` parameters: those never reach an origin.
    pub stream: StreamName,
    /// `h5live.rtmp.url`.
    pub url: Option<String>,
    /// `pid`: constant for one page's player.
    pub player: Option<String>,
    /// The security parameters.
    pub parameters: Parameters,
    /// The comma list `flags`.
    pub flags: Flags,
}

/// The `flags` that a player may set; others are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Wait for `onPlay` before anything is sent.
    pub paused: bool,
    /// Validate, then close.
    pub check_and_close: bool,
    /// Send what is said about the stream, and nothing of it.
    pub metadata_only: bool,
}

/// Why a viewer is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The verifier's word.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The browser's page is not one that the operator allows.
    #[error("pages of this origin may not play; ask the operator to allow it in page-origins")]
    PageOrigin,
    /// Somebody who is no proxy of the operator's asks in the name of another.
    #[error("only a proxy may ask this; the operator names it in trusted-proxies")]
    Untrusted,
    /// The application that embeds the doors does not want this viewer.
    #[error("the application has refused this viewer in authorize-client")]
    Declined,
    /// The application has not said in time whether it wants this viewer.
    #[error(
        "the application has not answered authorize-client in time; answer sooner, or raise authorize-timeout"
    )]
    Unanswered,
    /// A query that can't be read, or a stream name that can't be one.
    #[error("the request can't be read: {0}")]
    BadRequest(String),
    /// `url` names no configured origin.
    #[error("the url names no origin that this server plays from")]
    UnknownOrigin,
    /// The stream does not come within the time that a request can wait for it.
    #[error("the stream is not live")]
    NotLive,
    /// A limit is reached.
    #[error("the server is full; try again later")]
    Full,
    /// The token or its tag has as many sessions as it may.
    #[error(
        "the token or its tag has as many sessions as limits.sessions-per-token or -tag allows"
    )]
    SessionLimit,
    /// The session was let in, and then ended by us.
    #[error("the session was ended: its permission is withdrawn or over; get a new token")]
    Ended(End),
}

impl Refusal {
    /// For logs and metrics; stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::PageOrigin => "page_origin",
            Self::Untrusted => "untrusted",
            Self::Declined => "declined",
            Self::Unanswered => "unanswered",
            Self::BadRequest(_) => "bad_request",
            Self::UnknownOrigin => "unknown_origin",
            Self::NotLive => "not_live",
            Self::Full => "full",
            Self::SessionLimit => "session_limit",
            Self::Ended(End::Withdrawn) => "withdrawn",
            Self::Ended(End::Expired) => "expired_while_playing",
            Self::Ended(End::Replaced) => "replaced",
        }
    }

    /// The H5Live close code.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::Denied(denial) => match denial.kind() {
                DenialKind::MissingOrExpired => 4903,
                DenialKind::Invalid => 4901,
                DenialKind::Unavailable => 4900,
            },
            Self::PageOrigin | Self::Untrusted | Self::Declined => 4901,
            Self::Unanswered => 4900,
            // Not one that players come again after: the two would replace each other for ever.
            Self::Ended(End::Withdrawn | End::Replaced) => 4901,
            Self::Ended(End::Expired) => 4903,
            Self::BadRequest(_) | Self::UnknownOrigin => 4400,
            // One of the others may end, or be found dead.
            Self::NotLive | Self::Full | Self::SessionLimit => 4503,
        }
    }

    /// The HTTP status, where a request is answered and no socket closed.
    pub fn status(&self) -> StatusCode {
        match self.close_code() {
            4400 => StatusCode::BAD_REQUEST,
            4900 | 4503 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::FORBIDDEN,
        }
    }

    /// What the viewer is told: coarse, so that it teaches an attacker nothing.
    pub fn reason(&self) -> &'static str {
        match self.close_code() {
            _ if *self == Self::Ended(End::Withdrawn) => "The permission to play was withdrawn.",
            _ if *self == Self::Ended(End::Replaced) => {
                "A newer session of the same token or tag took the place of this one."
            }
            _ if *self == Self::SessionLimit => {
                "The token or its tag plays as often as it may; end another session first."
            }
            4903 => "The token has expired, or a security parameter is missing.",
            4901 => "The token is not valid for this stream, address or page.",
            4900 => "The security service can't decide now; try again later.",
            4400 => "The request is not one that this server can answer.",
            _ if *self == Self::NotLive => "The stream is not live; try again later.",
            _ => "The server is full; try again later.",
        }
    }
}

/// A viewer that is let in, and what to.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The door that it came by.
    pub door: Door,
    /// The verifier's word.
    pub grant: Grant,
    /// By what its token is known again; `None` where it needs none.
    pub token: Option<TokenId>,
    /// The stream of the origin that was selected.
    pub source: Source,
}

/// Decides who is let in.
pub struct Gate {
    /// Where keys are found.
    pub keys: Arc<dyn KeySource>,
    /// Which origins there are.
    pub origins: Arc<dyn OriginChoice>,
    /// The time.
    pub clock: Arc<Clock>,
    /// How long past its second of expiry a token is still taken, in seconds.
    pub skew: u64,
    /// The `Origin` headers that may open a door, lower case; empty: any, and none.
    pub page_origins: Vec<String>,
    /// The streams that the open doors open.
    pub open: RwLock<OpenStreams>,
    /// Who has a word after the verifier.
    pub audience: Option<Arc<dyn Audience>>,
}

impl ViewerRequest {
    /// Reads a door's query string.
    pub fn read(door: Door, query: &str) -> Result<Self, Refusal> {
        let query = Query::parse(query).map_err(bad)?;
        let stream = query.get("stream").map_err(bad)?.unwrap_or_default();
        Self::of(door, stream, &query)
    }

    /// The same for a stream that somebody else than the viewer names. The query may name it too, and no
    /// other.
    pub fn read_of(door: Door, stream: &str, query: &str) -> Result<Self, Refusal> {
        let query = Query::parse(query).map_err(bad)?;
        match query.get("stream").map_err(bad)? {
            Some(other) if other != stream => Err(Denial::Mismatch.into()),
            _ => Self::of(door, stream, &query),
        }
    }

    fn of(door: Door, stream: &str, query: &Query) -> Result<Self, Refusal> {
        Ok(Self {
            door,
            stream: stream_name(stream)?,
            url: query.get("url").map_err(bad)?.map(str::to_owned),
            player: query.get("pid").map_err(bad)?.map(str::to_owned),
            parameters: Parameters::from_query(query)?,
            flags: Flags::read(query.get("flags").map_err(bad)?.unwrap_or_default()),
        })
    }

    /// What an `onUpdateSource` asks for.
    pub fn update(
        door: Door,
        stream: &str,
        url: Option<String>,
        parameters: Parameters,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            door,
            stream: stream_name(stream)?,
            url,
            player: None,
            parameters,
            flags: Flags::default(),
        })
    }
}

fn bad(error: impl std::error::Error) -> Refusal {
    Refusal::BadRequest(error.to_string())
}

fn stream_name(text: &str) -> Result<StreamName, Refusal> {
    let name = text.split_once('?').map_or(text, |(name, _)| name);
    StreamName::parse(name).map_err(bad)
}

impl Flags {
    fn read(list: &str) -> Self {
        let has = |name| list.split(',').any(|flag| flag == name);
        Self {
            paused: has("paused"),
            check_and_close: has("checkandclose"),
            metadata_only: has("metastreamonly"),
        }
    }
}

impl Gate {
    /// Whether a page of this `Origin` may open a door at all.
    pub fn page(&self, origin: Option<&str>) -> Result<(), Refusal> {
        let allowed = self.page_origins.is_empty()
            || origin.is_some_and(|origin| {
                self.page_origins
                    .iter()
                    .any(|allowed| allowed.eq_ignore_ascii_case(origin))
            });
        allowed.then_some(()).ok_or(Refusal::PageOrigin)
    }

    /// The same for what can be fetched: native players and pages of this very server name no origin.
    pub fn page_of_fetch(&self, origin: Option<&str>) -> Result<(), Refusal> {
        origin.map_or(Ok(()), |origin| self.page(Some(origin)))
    }

    /// The verdict. The token comes first, so that nobody without one learns which origins there are.
    pub async fn admit(
        &self,
        request: &ViewerRequest,
        facts: &Facts,
    ) -> Result<Admission, Refusal> {
        let (grant, token) = self.verify(request, facts).await?;
        let origin = self
            .origins
            .select(request.url.as_deref(), &grant.stream().orga())
            .ok_or(Refusal::UnknownOrigin)?;
        let source = Source {
            origin,
            stream: grant.stream().clone(),
        };
        Ok(Admission {
            door: request.door,
            grant,
            token,
            source,
        })
    }

    /// The verdict alone, where nothing is played from an origin.
    pub async fn grant(&self, request: &ViewerRequest, facts: &Facts) -> Result<Grant, Refusal> {
        self.verify(request, facts).await.map(|(grant, _)| grant)
    }

    async fn verify(
        &self,
        request: &ViewerRequest,
        facts: &Facts,
    ) -> Result<(Grant, Option<TokenId>), Refusal> {
        let (grant, token) = self.judge(request, facts).await?;
        // Not before: what the verifier refuses, nobody else is asked about.
        let word = match &self.audience {
            Some(audience) => audience.ask(&grant, facts).await,
            None => Word::Agreed,
        };
        match word {
            Word::Agreed => Ok((grant, token)),
            Word::Until(UnixSeconds(at)) if at <= (self.clock)().0 => Err(Refusal::Declined),
            Word::Until(at) => Ok((grant.until(at), token)),
            Word::Refused => Err(Refusal::Declined),
            Word::Silent => Err(Refusal::Unanswered),
        }
    }

    async fn judge(
        &self,
        request: &ViewerRequest,
        facts: &Facts,
    ) -> Result<(Grant, Option<TokenId>), Denial> {
        match request.door {
            Door::Open => {
                let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
                Ok((open.grant(&request.stream)?, None))
            }
            Door::Gated => {
                let presented = Presented::read(&request.parameters, &request.stream)?;
                let (scope, kid) = (presented.scope(), presented.kid());
                let key = self.keys.key(&request.stream, scope, kid).await;
                let grant = presented.verify(key, facts, (self.clock)(), self.skew)?;
                Ok((grant, Some(presented.token_id())))
            }
        }
    }
}
