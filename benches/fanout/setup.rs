//! What is served in a round: the parent decides it, and its children are told.

use serde::{Deserialize, Serialize};

/// A stream or several, how they are sent, and on how many cores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// How long the stream is, at the least.
    pub seconds: u64,
    /// Of each stream's video, in kbit/s; sound comes on top.
    pub kbit: u64,
    /// Streams at once; reader `n` plays number `n % streams`.
    pub streams: usize,
    /// One: server and load have a core each. More: they share all.
    pub cores: usize,
    /// Whether it is TLS 1.3; of the floor, whether each message is sealed for each reader.
    pub tls: bool,
    /// Whether the server must do without io_uring.
    pub epoll: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seconds: 60,
            kbit: 2500,
            streams: 1,
            cores: 1,
            tls: false,
            epoll: false,
        }
    }
}

impl Setup {
    /// As one argument of a child.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("numbers are JSON")
    }

    /// Reads [`Setup::text`].
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).expect("the parent's own words")
    }
}
