//! Streams by name: one publisher each, any number of granted subscribers.
//!
//! What a publisher puts in is made into wire bytes once ([`wire`]), kept in a bounded ring that
//! always holds the current GOP (`stream`), and read by every subscriber through a position of its
//! own (`subscription`). [`fanout`] moves those bytes to sockets.

pub mod bell;
pub mod fanout;
mod feed;
mod fragments;
#[cfg(target_os = "linux")]
pub mod memory_file;
#[cfg(not(target_os = "linux"))]
#[path = "no_memory_file.rs"]
pub mod memory_file;
mod registry;
mod source;
mod stream;
mod subscription;
mod survey;
#[cfg(test)]
mod tests;
pub mod topic;
pub mod websocket;
pub mod wire;

pub use feed::Feed;
pub use fragments::Fragments;
pub use registry::{Counts, Demand, Hub, PublishError, SubscribeError};
pub use source::{OriginName, Source};
pub use stream::{Limits, Publisher};
pub use subscription::Subscription;
pub use survey::StreamFacts;
