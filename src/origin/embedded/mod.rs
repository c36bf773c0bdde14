//! An RTMP origin in this process: publishers push to it, and no pull is needed.
//!
//! ```text
//! publisher ─ chunks ─▶ session (who may publish what) ─▶ tags ─▶ media::Muxer ─▶ hub
//!                          │ commands                  └▶ script data ─▶ metadata
//!                          └─▶ rml_rtmp
//! ```

mod chunks;
mod listener;
mod session;
mod tags;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::hub::{Hub, OriginName};
use crate::token::{Key, StreamName};

pub use listener::{bind, serve};

/// What may be published here, and within which bounds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the hub and logs call it.
    pub name: OriginName,
    /// The RTMP application, the first part of the path in a publisher's URL.
    pub application: String,
    /// Each stream's publish key, as the signing key of the secret that a publisher presents.
    pub keys: HashMap<StreamName, Key>,
    /// Publishers at once, those that have not said yet what they publish among them.
    pub publishers: usize,
    /// How long a connection may take until it publishes.
    pub patience: Duration,
}

/// The origin.
#[derive(Clone)]
struct Embedded {
    settings: Arc<Settings>,
    hub: Arc<Hub>,
}
