//! By which kind of request somebody plays, or wanted to.

use std::fmt;

/// Beside [`Door`](super::admit::Door), which says who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// The WebSocket.
    WebSocket,
    /// A playlist and what it lists.
    Hls,
    /// `stream.mp4`.
    Progressive,
    /// RTSP.
    Rtsp,
    /// `GET /secure/verify`, for a web server in front.
    Verify,
}

impl Way {
    /// For metrics and the operator's page; stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Hls => "hls",
            Self::Progressive => "stream.mp4",
            Self::Rtsp => "rtsp",
            Self::Verify => "verify",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
