//! What a reader shows at the door: a token of its own.

use std::time::{SystemTime, UNIX_EPOCH};

use h5live::token::{Claims, Key, Scope, Secret, StreamName, Tag, UnixSeconds, mint};

/// Longer than any run.
const VALID_SECONDS: u64 = 24 * 60 * 60;

/// One of the streams.
pub fn stream(number: usize) -> StreamName {
    StreamName::parse(&format!("BENCH-fanout-{number}")).expect("a stream's name")
}

/// Server and load are two processes, so both know it in advance.
pub fn key() -> Key {
    Secret::new(*b"the secret of the fan-out bench")
        .expect("long enough")
        .key()
}

pub fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixSeconds(since.expect("a clock past 1970").as_secs())
}

/// What one reader's address ends with.
pub fn query(reader: u64, stream: &StreamName) -> String {
    let claims = Claims {
        expires: Some(UnixSeconds(now().0 + VALID_SECONDS)),
        tag: Some(Tag::parse(&format!("reader-{reader}")).expect("a tag")),
        ..Claims::of(Scope::Stream(stream.clone()))
    };
    let minted = mint(&key(), &claims);
    format!(
        "url=rtmp%3A%2F%2Forigin.test%2Flive&stream={}&cid={reader}&pid=1\
         &expires={}&tag={}&token={}&options={}",
        stream.as_str(),
        minted.expires,
        minted.tag,
        minted.token,
        minted.options.bits(),
    )
}

/// The upgrade request of one reader.
pub fn request(reader: u64, stream: &StreamName) -> String {
    format!(
        "GET /h5live/authstream?{} HTTP/1.1\r\n\
         Host: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        query(reader, stream)
    )
}
