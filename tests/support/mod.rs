//! What the tests share: a real origin, a real publisher, a real server, each ended by its own handle.
//!
//! A test file takes in what it needs by `mod support;`. Each test binary uses a part of it only.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod console;
pub mod doors;
pub mod follow;
pub mod form;
pub mod hls;
pub mod https;
pub mod origin;
pub mod patient;
pub mod playlist;
pub mod plugin;
pub mod postgres;
pub mod process;
pub mod publisher;
pub mod raw;
pub mod rtsp;
pub mod server;
pub mod store;
pub mod tape;
pub mod viewer;
