//! H.264 and AAC samples in, fragmented MP4 out. Pure: output is a function of input.

mod audio;
mod codec;
mod error;
mod fmp4;
pub mod fragment;
mod muxer;
mod timeline;

pub use error::{MAX_ACCESS_UNIT, MAX_TIME, MediaError};
pub use muxer::Muxer;
