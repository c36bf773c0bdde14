//! What an H5Live session is sent of a stream, as WebSocket frames, made once for all of them. Pure.
//!
//! ```text
//! start      onStreamInfo (text)        init segment (binary)
//! update     onStreamInfoUpdate (text)  init segment (binary)
//! key        onRandomAccessPoint (text) moof+mdat (binary)
//! fragment                              moof+mdat (binary)
//! stopped    onStreamStatus (text)
//! metadata   onMetaData (text) 1..n
//! ```

use bytes::Bytes;
use serde_json::{Value, json};

use super::websocket::{Opcode, write_frame, write_head};
use crate::media::fragment::{Fragment, Init, StreamInfo};

/// The most characters of metadata in one `onMetaData`; longer texts go in several.
const METADATA_CHUNK: usize = 16 * 1024;

/// An event in the interface's envelope.
pub fn event(name: &str, payload: Value) -> String {
    event_as(name, name, payload)
}

fn event_as(name: &str, key: &str, payload: Value) -> String {
    // Built by hand because the envelope's second key is the event's own name.
    format!(
        "{{\"eventType\":{},{}:{payload}}}",
        Value::from(name),
        Value::from(key)
    )
}

/// A stream from its beginning: for whoever joins, resumes or switches.
pub fn start(init: &Init) -> Bytes {
    described(&event("onStreamInfo", stream_info(&init.info)), init)
}

/// A new init segment whose timeline goes on: for whoever already plays.
pub fn update(init: &Init) -> Bytes {
    let text = event_as(
        "onStreamInfoUpdate",
        "onStreamInfo",
        stream_info(&init.info),
    );
    described(&text, init)
}

/// One fragment; a random access point is announced in the same bytes.
pub fn fragment(fragment: &Fragment) -> Bytes {
    let mut out = Vec::with_capacity(fragment.bytes.len() + 128);
    if fragment.random_access {
        let text = event(
            "onRandomAccessPoint",
            json!({"streamTime": fragment.time_ms}),
        );
        write_frame(&mut out, Opcode::Text, text.as_bytes());
    }
    write_head(&mut out, Opcode::Binary, fragment.bytes.len());
    out.extend_from_slice(&fragment.bytes);
    out.into()
}

/// The source has stopped; it may come back.
pub fn stopped() -> Bytes {
    let text = event("onStreamStatus", json!({"status": "stopped"}));
    super::websocket::frame(Opcode::Text, text.as_bytes())
}

/// Text metadata at a time of the stream, in as many messages as it needs.
pub fn metadata(handler: &str, time_ms: u64, message: &str) -> Bytes {
    let chunks = chunks(message);
    let mut out = Vec::with_capacity(message.len() + 160 * chunks.len());
    for (i, chunk) in chunks.iter().enumerate() {
        let text = event(
            "onMetaData",
            json!({
                "handlerName": handler,
                "streamTime": time_ms as f64 / 1000.0,
                "chunkIndex": i + 1,
                "chunkCount": chunks.len(),
                "message": chunk,
            }),
        );
        write_frame(&mut out, Opcode::Text, text.as_bytes());
    }
    out.into()
}

fn chunks(mut text: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    while text.len() > METADATA_CHUNK {
        let mut end = METADATA_CHUNK;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (chunk, rest) = text.split_at(end);
        chunks.push(chunk);
        text = rest;
    }
    chunks.push(text);
    chunks
}

fn described(text: &str, init: &Init) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + init.bytes.len() + 20);
    write_frame(&mut out, Opcode::Text, text.as_bytes());
    write_frame(&mut out, Opcode::Binary, &init.bytes);
    out.into()
}

fn stream_info(info: &StreamInfo) -> Value {
    json!({
        "haveVideo": info.video.is_some(),
        "haveAudio": info.audio.is_some(),
        "mimeType": info.mime_type,
        "videoInfo": info.video.as_ref().map(|video| json!({
            "width": video.width,
            "height": video.height,
            "frameRate": video.frame_rate,
        })),
        "audioInfo": info.audio.as_ref().map(|audio| json!({
            "sampleRate": audio.sample_rate,
            "channels": audio.channels,
            "bitsPerSample": 16,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_cut_between_characters_and_loses_none() {
        let text = format!("x{}", "ä".repeat(METADATA_CHUNK));
        let parts = chunks(&text);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.concat(), text);
        assert_eq!(chunks(""), [""]);
    }

    #[test]
    fn the_envelope_has_the_event_under_its_own_name() {
        assert_eq!(
            event("onStreamStatus", json!({"status": "stopped"})),
            r#"{"eventType":"onStreamStatus","onStreamStatus":{"status":"stopped"}}"#
        );
    }
}
