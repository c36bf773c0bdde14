//! H.264 and AAC samples in, fragmented MP4 out. Pure: output is a function of input.

mod codec;
mod error;
mod fmp4;
pub mod fragment;

pub use error::{MAX_ACCESS_UNIT, MAX_TIME, MediaError};
