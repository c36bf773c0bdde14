//! The doors: what viewers and backends connect to.

pub mod admit;
pub mod app;
pub mod body;
pub mod client_address;
mod connection;
pub mod facts;
mod framing;
pub mod h5live;
pub mod hls;
pub mod leases;
pub mod listener;
pub mod pages;
pub mod places;
#[cfg(feature = "gst")]
pub mod standalone;
pub mod tls;
pub mod viewer_key;
