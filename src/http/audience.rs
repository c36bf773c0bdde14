//! Who has a word on viewers after the verifier, and hears of them: an application that embeds the doors.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::admit::Refusal;
use super::leases::{End, Listed};
use super::way::Way;
use crate::token::{Facts, Grant, StreamName, UnixSeconds};

/// The application's word on a viewer whom the verifier lets in. None of them lets in anybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// No objection.
    Agreed,
    /// Until this second, if the token does not end before.
    Until(UnixSeconds),
    /// Not this one.
    Refused,
    /// It did not say in time.
    Silent,
}

/// How a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Why we ended it; `None` where its viewer left.
    pub end: Option<End>,
    /// It took nothing for as long as a client may.
    pub stalled: bool,
    /// How often it fell behind and skipped to a keyframe.
    pub skips: u64,
    /// How long it lasted.
    pub lasted: Duration,
}

/// A viewer who was not let in.
#[derive(Clone, Debug)]
pub struct Turned {
    /// By which door.
    pub way: Way,
    /// The stream that was asked for.
    pub stream: StreamName,
    /// Who asked.
    pub client: IpAddr,
    /// Why.
    pub refusal: Refusal,
}

/// A word that may take a moment.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Word> + Send + 'a>>;

/// The application. Only [`Audience::ask`] may take time: the others are called by those who write to
/// all viewers.
pub trait Audience: Send + Sync {
    /// Whether somebody may play whom the verifier has let in.
    fn ask<'a>(&'a self, grant: &'a Grant, facts: &'a Facts) -> Asked<'a>;

    /// A session has begun.
    fn joined(&self, session: &Listed);

    /// It is over.
    fn left(&self, session: &Listed, farewell: Farewell);

    /// Somebody was not let in.
    fn turned(&self, viewer: Turned);
}

/// Tells it of a viewer who was not let in.
pub(super) fn tell(
    audience: &Option<Arc<dyn Audience>>,
    way: Way,
    stream: &Option<StreamName>,
    client: IpAddr,
    refusal: &Refusal,
) {
    // A session that we ended was told of when it ended.
    if let (Some(audience), Some(stream)) = (audience, stream)
        && !matches!(refusal, Refusal::Ended(_))
    {
        audience.turned(Turned {
            way,
            stream: stream.clone(),
            client,
            refusal: refusal.clone(),
        });
    }
}
