//! The doors: what viewers and backends connect to.

pub mod admit;
pub mod app;
pub mod audience;
pub mod body;
pub mod certificate;
pub mod client_address;
pub(crate) mod connection;
mod conversation;
pub mod denials;
pub mod facts;
pub(crate) mod fetch;
mod framing;
pub mod h5live;
mod handing_on;
pub mod hls;
pub mod lasting_listener;
pub mod leases;
pub mod listener;
pub mod networks;
pub mod pages;
pub mod places;
pub mod progressive;
pub(crate) mod proxy_protocol;
pub mod redirect;
pub mod side_listener;
pub(crate) mod stalling;
#[cfg(feature = "gst")]
pub mod standalone;
pub mod tls;
pub mod traffic;
pub mod verify;
pub mod viewer_key;
pub mod way;
pub mod workers;
