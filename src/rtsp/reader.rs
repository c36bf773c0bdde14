//! Reads RTSP off a connection, part by part, never more than its bounds allow.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::message::{Bounds, Malformed, Message, Part, measure, take};

/// Why a connection can't be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the connection failed ({0})")]
    Io(#[from] io::Error),
    #[error("the connection was closed")]
    Closed,
}

/// A connection's reading end. Dropping one of its futures loses nothing that was read.
pub(super) struct Reader<R> {
    io: R,
    bounds: Bounds,
    read: BytesMut,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(io: R, bounds: Bounds) -> Self {
        Self {
            io,
            bounds,
            read: BytesMut::new(),
        }
    }

    /// The next part.
    pub async fn next(&mut self) -> Result<Part, ReadError> {
        loop {
            if let Some(part) = take(&mut self.read, self.bounds)? {
                return Ok(part);
            }
            self.fill().await?;
        }
    }

    /// All parts that are there, as they stand, once there is one; and the messages among them.
    pub async fn batch(&mut self) -> Result<(Bytes, Vec<Message>), ReadError> {
        loop {
            let mut length = 0;
            let mut messages = Vec::new();
            while let Some(part) = measure(&self.read[length..], self.bounds)? {
                let bytes = &self.read[length..length + part];
                if bytes.first() != Some(&b'$') {
                    messages.push(Message::read(bytes)?);
                }
                length += part;
            }
            if length > 0 {
                return Ok((self.read.split_to(length).freeze(), messages));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), ReadError> {
        self.read.reserve(16 * 1024);
        match self.io.read_buf(&mut self.read).await? {
            0 => Err(ReadError::Closed),
            _ => Ok(()),
        }
    }
}
