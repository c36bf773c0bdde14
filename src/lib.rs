//! Token-gated, sub-second live playback.
//!
//! Two flows, each one way, that meet in one place:
//!
//! ```text
//! media      RTMP origin ─ origin ─▶ element (h5liveauthsink) ─ media (fMP4) ─▶ hub ─▶ session ─▶ socket
//! authority  request ─ http::admit ─▶ token::Parameters ─▶ token::verify ─▶ Grant ──▲  (hub.subscribe(&Grant))
//! issuing    backend ─ issuer ─▶ records ◀─ key look-up by kid ─ token::verify
//! ```
//!
//! `token` and `media` are pure: no socket, no clock, no database, no GStreamer. Without default
//! features they are all that is built.

pub mod media;
pub mod token;

#[cfg(feature = "gst")]
pub mod element;
#[cfg(feature = "doors")]
pub mod http;
#[cfg(feature = "doors")]
pub mod hub;
#[cfg(feature = "gst")]
pub mod origin;
#[cfg(feature = "records")]
pub mod records;
#[cfg(feature = "rtsp")]
pub mod rtsp;

#[cfg(feature = "server")]
pub mod command_line;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod console;
#[cfg(feature = "server")]
pub mod issuer;
#[cfg(feature = "server")]
pub mod openapi;
#[cfg(feature = "server")]
pub mod server;
