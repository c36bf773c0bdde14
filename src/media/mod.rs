//! H.264 and AAC samples in, fragmented MP4 out. Pure: output is a function of input.

pub mod fragment;
