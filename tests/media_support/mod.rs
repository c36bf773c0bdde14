//! What the media tests share.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod clip;
pub mod flv;
pub mod probe;
