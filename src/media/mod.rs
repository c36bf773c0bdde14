//! H.264 and AAC samples in, fragmented MP4 out. Pure: output is a function of input.

#[allow(dead_code, reason = "the muxer, which uses it, comes next")]
mod codec;
mod error;
#[allow(dead_code, reason = "the muxer, which uses it, comes next")]
mod fmp4;
pub mod fragment;

pub use error::{MAX_ACCESS_UNIT, MAX_TIME, MediaError};
