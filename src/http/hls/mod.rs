//! HLS and LL-HLS: the playlist behind the gate, and what it lists behind capabilities.
//!
//! ```text
//! /h5live/authhttp/playlist.m3u8?<the player's query>   a verdict, once a session
//! /h5live/authhttp/<capability>/init-<n>.mp4            the session's own; no token in it
//! /h5live/authhttp/<capability>/<segment>.m4s
//! /h5live/authhttp/<capability>/<segment>.<part>.m4s
//! ```
//!
//! The same below `/h5live/http/` for streams that are declared open.

mod approvals;
mod door;
mod resource;
mod sessions;

pub use approvals::Approvals;
pub use door::{media, playlist};
pub use sessions::Sessions;
