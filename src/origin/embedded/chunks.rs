//! RTMP's chunks, put together to messages. Pure.
//!
//! ```text
//! chunk    format:u2 id:u6           id 0: + u8 + 64; id 1: + u16, little-endian, + 64
//!          time:u24 length:u24 kind:u8 stream:u32, little-endian   format 0
//!          delta:u24 length:u24 kind:u8                            format 1
//!          delta:u24                                               format 2
//!          time:u32                  where the u24 is 0xffffff, with format 3 too
//!          payload                   up to the chunk size, or the rest of the message
//! ```
//! (Adobe RTMP 1.0, 5.3.1.) Format 3 goes on with a message, or begins one that is like the last.
//!
//! Our own because whoever connects may send this, before any key: `rml_rtmp` panics at a length that
//! changes within a message, and reserves as much as a header claims.

use std::collections::HashMap;

use bytes::{Buf, Bytes, BytesMut};

/// Chunk streams of one connection; encoders use three or four.
const STREAMS: usize = 64;

/// Bytes of messages that have begun: the longest that a message's header can claim.
const UNFINISHED: usize = 1 << 24;

/// The chunk size that every connection begins with.
const CHUNK: usize = 128;

/// A u24 that says that 32 bits follow.
const EXTENDED: u32 = 0xff_ffff;

const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;

/// Why bytes are no RTMP chunks that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Nothing says what it belongs to.
    #[error("a chunk goes on where nothing has begun")]
    NoHeader,
    /// See [`STREAMS`].
    #[error("it uses more than 64 chunk streams at once")]
    Streams,
    /// See [`UNFINISHED`].
    #[error("it leaves more than 16 MiB of messages unfinished")]
    Unfinished,
    /// It can't be 0, and is a number of its own.
    #[error("its chunk size makes no sense")]
    ChunkSize,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type id.
    pub kind: u8,
    /// The message stream that it belongs to; 0 is the connection.
    pub stream: u32,
    /// Milliseconds.
    pub time: u32,
    /// What it holds.
    pub data: Bytes,
}

/// One connection's chunks, in parts of any size.
#[derive(Debug)]
pub struct Chunks {
    size: usize,
    streams: HashMap<u32, Stream>,
    /// Bytes of messages that have begun.
    unfinished: usize,
    /// A header that is not there yet as a whole.
    input: BytesMut,
    /// The chunk whose payload comes: its stream, and how much of it.
    open: Option<(u32, usize)>,
}

#[derive(Debug, Default)]
struct Stream {
    time: u32,
    delta: u32,
    extended: bool,
    length: usize,
    kind: u8,
    stream: u32,
    data: BytesMut,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            size: CHUNK,
            streams: HashMap::new(),
            unfinished: 0,
            input: BytesMut::new(),
            open: None,
        }
    }
}

impl Chunks {
    /// Takes bytes; gives back the messages that they complete. Chunk sizes and aborts are obeyed here.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
        self.input.extend_from_slice(bytes);
        let mut messages = Vec::new();
        loop {
            let Some((id, left)) = self.open else {
                match self.begin()? {
                    true => continue,
                    false => return Ok(messages),
                }
            };
            let stream = self.streams.get_mut(&id).ok_or(ChunkError::NoHeader)?;
            let part = self.input.split_to(left.min(self.input.len()));
            self.unfinished += part.len();
            if self.unfinished > UNFINISHED {
                return Err(ChunkError::Unfinished);
            }
            stream.data.extend_from_slice(&part);
            if part.len() < left {
                self.open = Some((id, left - part.len()));
                return Ok(messages);
            }
            self.open = None;
            if stream.data.len() < stream.length {
                continue;
            }
            self.unfinished -= stream.data.len();
            let message = Message {
                kind: stream.kind,
                stream: stream.stream,
                time: stream.time,
                data: std::mem::take(&mut stream.data).freeze(),
            };
            match message.kind {
                SET_CHUNK_SIZE => self.size = chunk_size(&message.data)?,
                ABORT => self.abort(&message.data),
                _ => messages.push(message),
            }
        }
    }

    /// Reads a chunk's header, where it is there as a whole.
    fn begin(&mut self) -> Result<bool, ChunkError> {
        let mut bytes = &self.input[..];
        let Some((format, id)) = basic(&mut bytes) else {
            return Ok(false);
        };
        let known = self.streams.get(&id);
        if known.is_none() && format != 0 {
            return Err(ChunkError::NoHeader);
        }
        if known.is_none() && self.streams.len() >= STREAMS {
            return Err(ChunkError::Streams);
        }
        let length = [11, 7, 3, 0][usize::from(format)];
        if bytes.len() < length {
            return Ok(false);
        }
        let (mut head, mut rest) = bytes.split_at(length);
        let time = (format < 3).then(|| u24(&mut head));
        let size = (format < 2).then(|| (u24(&mut head) as usize, head.get_u8()));
        let message_stream = (format == 0).then(|| head.get_u32_le());
        let extended = match (time, known) {
            (Some(time), _) => time == EXTENDED,
            (None, known) => known.is_some_and(|stream| stream.extended),
        };
        let time = match extended {
            true if rest.len() < 4 => return Ok(false),
            // With format 3 it is the last one again.
            true => time.map(|_| rest.get_u32()).or_else(|| {
                rest.advance(4);
                None
            }),
            false => time,
        };
        let used = self.input.len() - rest.len();
        self.input.advance(used);

        let stream = self.streams.entry(id).or_default();
        if let Some((length, _)) = size
            && length != stream.length
        {
            // Another message begins, and the last one never ended.
            self.unfinished -= stream.data.len();
            stream.data.clear();
        }
        // Some repeat the header within a message.
        let begins = stream.data.is_empty();
        stream.extended = extended;
        if let Some((length, kind)) = size {
            stream.length = length;
            stream.kind = kind;
        }
        if let Some(message_stream) = message_stream {
            stream.stream = message_stream;
        }
        if begins {
            stream.delta = time.unwrap_or(stream.delta);
            stream.time = match format {
                0 => stream.delta,
                _ => stream.time.wrapping_add(stream.delta),
            };
        }
        let left = stream.length - stream.data.len();
        self.open = Some((id, left.min(self.size)));
        Ok(true)
    }

    fn abort(&mut self, data: &[u8]) {
        let id = data.first_chunk().map(|id| u32::from_be_bytes(*id));
        if let Some(stream) = id.and_then(|id| self.streams.get_mut(&id)) {
            self.unfinished -= stream.data.len();
            stream.data.clear();
        }
    }
}

fn basic(bytes: &mut &[u8]) -> Option<(u8, u32)> {
    let (format, id) = match **bytes {
        [first, second, ..] if first & 0x3f == 0 => {
            bytes.advance(2);
            (first >> 6, 64 + u32::from(second))
        }
        [first, second, third, ..] if first & 0x3f == 1 => {
            bytes.advance(3);
            (
                first >> 6,
                64 + u32::from(u16::from_le_bytes([second, third])),
            )
        }
        [first, ..] if first & 0x3f > 1 => {
            bytes.advance(1);
            (first >> 6, u32::from(first & 0x3f))
        }
        _ => return None,
    };
    Some((format, id))
}

/// Three bytes, of which there must be as many.
fn u24(bytes: &mut &[u8]) -> u32 {
    let high = u32::from(bytes.get_u8());
    high << 16 | u32::from(bytes.get_u16())
}

fn chunk_size(data: &[u8]) -> Result<usize, ChunkError> {
    let size = data.first_chunk().ok_or(ChunkError::ChunkSize)?;
    match u32::from_be_bytes(*size) {
        size @ 1..0x8000_0000 => Ok(size as usize),
        _ => Err(ChunkError::ChunkSize),
    }
}

#[cfg(test)]
mod tests;
