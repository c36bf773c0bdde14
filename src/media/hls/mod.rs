//! HLS and LL-HLS of what the muxer puts out (RFC 8216bis): segments, parts, and the playlist that
//! lists them. The same fragments as on every other door, in other groups.
//!
//! ```text
//! Output ─▶ window (segment = parts = fragments, shared bytes) ─▶ playlist (text)
//! ```

mod playlist;
mod window;

pub use playlist::PREFIX;
pub use window::{Edge, Gather, InitId, Settings, UnixMillis, Window};
