//! RTMP origins: which there are, and pulling from them what viewers want.
//!
//! ```text
//! viewer's url ─ table ─▶ OriginName          (selects; is never dialled)
//! hub's demand ─ supervisor (schedule) ─▶ pull: rtmpsrc ! flvdemux ! parsers ! h5liveauthsink ─▶ hub
//!                                                       └ tap (flv, gate), script (amf) ─▶ metadata
//! ```

mod amf;
#[cfg(feature = "server")]
pub mod embedded;
mod flv;
mod gate;
mod pipeline;
mod pull;
mod schedule;
mod script;
mod supervisor;
pub mod table;
mod tap;
mod watch;

pub use schedule::{Pace, Standing};
pub use supervisor::{Counters, Settings, StartError, Supervisor};
pub use table::{OriginConfig, OriginError, Origins, SourceElement};
