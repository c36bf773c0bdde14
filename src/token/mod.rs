//! The playback token: minted by whoever holds a stream's secret, verified before any byte of media.
//!
//! ```text
//! mint     Secret ─▶ Key ─┐
//!          Claims ────────┴▶ mint ─▶ Minted (token, expires, tag, options)
//! verify   Query or JSON ─▶ Parameters ─▶ Presented ─┐   .kid() and .scope() say which Key to look up
//!          KeyLookup, Facts, now ────────────────────┴▶ Grant, or a Denial
//! ```
//!
//! Pure: the time is an argument, the key is looked up by the caller, nothing is read or written.
//! The layout of a token stands at the head of `envelope.rs`, that of the signed bytes at the head
//! of `message.rs`.

mod claims;
mod denial;
mod envelope;
mod host;
mod message;
mod mint;
mod options;
mod parameters;
mod query;
mod secret;
mod stream_name;
mod tag;
mod token_id;
mod verify;
mod withdrawal;

pub use claims::{Claims, Facts, Scope, UnixSeconds};
pub use denial::{Denial, DenialKind};
pub use host::{Host, HostError};
pub use message::message;
pub use mint::{Minted, mint};
pub use options::Options;
pub use parameters::Parameters;
pub use query::{Query, QueryError, Repeated};
pub use secret::{Key, Kid, KidError, Secret, SecretError};
pub use stream_name::{Orga, OrgaError, StreamName, StreamNameError};
pub use tag::{LONGEST_TAG, Tag, TagError};
pub use token_id::TokenId;
pub use verify::{Grant, KeyLookup, OpenStream, OpenStreamError, OpenStreams, Presented};
pub use withdrawal::{Selection, Withdrawal};
