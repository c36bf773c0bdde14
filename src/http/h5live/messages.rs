//! The text messages of one H5Live session (protocol sections 2 and 4). Those that all sessions of a
//! stream share are made in [`crate::hub::wire`]. Pure.

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::{Map, Value, json};

use crate::hub::wire::event;
use crate::token::Parameters;

/// What we call ourselves; players read a version below 1.8 as a server of old.
const SERVER_VERSION: &str = "1.8.0.0";

/// The first message of every session.
pub fn server_info(hostname: &str) -> String {
    event(
        "onServerInfo",
        json!({
            "serverName": concat!("h5live/", env!("CARGO_PKG_VERSION")),
            "serverVersion": SERVER_VERSION,
            "hostname": hostname,
            "interfaceVersion": "1.0",
            "capabilities": ["onPlay", "onPause", "onUpdateSource"],
            "events": [
                "onStreamInfo", "onStreamInfoUpdate", "onStreamStatus", "onRandomAccessPoint",
                "onMetaData", "onUpdateSourceSuccess", "onUpdateSourceError", "onUpdateSourceAbort",
            ],
        }),
    )
}

/// What an answer to `onUpdateSource` repeats of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Echo {
    request_id: Value,
    tag: Value,
    count: Value,
}

impl Echo {
    fn answer(&self, name: &str, more: Value) -> String {
        let mut payload = Map::new();
        payload.insert("requestId".into(), self.request_id.clone());
        payload.insert("tag".into(), self.tag.clone());
        payload.insert("count".into(), self.count.clone());
        if let Value::Object(more) = more {
            payload.extend(more);
        }
        event(name, payload.into())
    }

    /// The source was changed or renewed.
    pub fn success(&self) -> String {
        self.answer("onUpdateSourceSuccess", json!({}))
    }

    /// It was refused; the old one goes on.
    pub fn error(&self, code: u16, message: &str) -> String {
        self.answer(
            "onUpdateSourceError",
            json!({"code": code, "message": message}),
        )
    }

    /// A newer request took its place.
    pub fn abort(&self, reason: &str) -> String {
        self.answer("onUpdateSourceAbort", json!({"reason": reason}))
    }
}

/// What a client may ask for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Go on sending.
    Play,
    /// Stop sending, keep the socket.
    Pause,
    /// Another source, or the same with a fresh token.
    UpdateSource(Box<Update>),
    /// An event type that we do not know.
    Unknown,
}

/// The content of `onUpdateSource`.
#[derive(Clone, Debug)]
pub struct Update {
    /// For the answer.
    pub echo: Echo,
    /// `rtmp.url`.
    pub url: Option<String>,
    /// `rtmp.stream`.
    pub stream: String,
    /// `security`; all absent where the client sent none.
    pub parameters: Parameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    event_type: String,
    #[serde(default)]
    request_id: Value,
    on_update_source: Option<UpdateSource>,
}

#[derive(Deserialize)]
struct UpdateSource {
    #[serde(default)]
    tag: Value,
    #[serde(default)]
    count: Value,
    rtmp: Rtmp,
    security: Option<Parameters>,
}

#[derive(Deserialize)]
struct Rtmp {
    url: Option<String>,
    stream: String,
}

/// Why a client's message is no event. Says where, and never what stands there: it may be a token,
/// and the reader's own words would quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// No JSON, or a value of another type than the interface has there.
    #[error("{} at line {line}, column {column}", match .category {
        Category::Data => "a value that the interface does not have there",
        _ => "no JSON",
    })]
    Json {
        /// What kind of error it is.
        category: Category,
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// The event has no content.
    #[error("onUpdateSource without its content")]
    NoUpdate,
}

impl From<serde_json::Error> for MessageError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json {
            category: error.classify(),
            line: error.line(),
            column: error.column(),
        }
    }
}

/// Reads a client's text message.
pub fn read(text: &str) -> Result<Ask, MessageError> {
    let envelope: Envelope = serde_json::from_str(text)?;
    Ok(match envelope.event_type.as_str() {
        "onPlay" => Ask::Play,
        "onPause" => Ask::Pause,
        "onUpdateSource" => {
            let update = envelope.on_update_source.ok_or(MessageError::NoUpdate)?;
            Ask::UpdateSource(Box::new(Update {
                echo: Echo {
                    request_id: envelope.request_id,
                    tag: update.tag,
                    count: update.count,
                },
                url: update.rtmp.url,
                stream: update.rtmp.stream,
                parameters: update.security.unwrap_or_default(),
            }))
        }
        _ => Ask::Unknown,
    })
}
