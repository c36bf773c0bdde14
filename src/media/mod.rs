//! H.264, H.265, AV1, AAC and Opus samples in, fragmented MP4 out. Pure: output is a function of input.
//!
//! ```text
//! AccessUnit ─▶ muxer (when to begin) ─▶ session (tracks, bundling) ─▶ fmp4 (boxes) ─▶ Output
//!                        codec (configurations)    timeline (video), audio + silence
//! ```

mod audio;
mod codec;
mod error;
mod fmp4;
pub mod fragment;
pub mod hls;
mod muxer;
pub mod samples;
mod session;
mod setup;
mod silence;
mod timeline;

pub use error::{MAX_ACCESS_UNIT, MAX_REORDER, MAX_TIME, MediaError};
pub use muxer::{Counts, Muxer};
