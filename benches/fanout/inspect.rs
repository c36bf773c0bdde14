//! One reader's view of its bytes: cuts them into WebSocket messages and sees that none is missing.
//!
//! A message that is whole in the buffer is looked at where it lies, and costs a few loads next to the read() that
//! brought it.

use super::media::{self, Seen};

/// How much of a message is kept until its end when it comes in pieces; the stamp stands before.
const HEAD: usize = 384;

const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

/// What came with some bytes.
pub enum Event {
    Fragment(Seen),
    /// Must be answered, or the server takes the client for gone.
    Ping,
    Close,
    /// Anything else that is no media.
    Other,
}

#[derive(Default)]
pub struct Inspector {
    frame_head: Vec<u8>,
    opcode: u8,
    /// Bytes of the message that are still to come.
    left: usize,
    head: Vec<u8>,
}

impl Inspector {
    /// Takes what was read and tells of each message that it completes.
    pub fn read(&mut self, mut bytes: &[u8], mut each: impl FnMut(Event)) {
        while !bytes.is_empty() {
            if self.left == 0 && !self.take_frame_head(&mut bytes) {
                return;
            }
            let whole = self.head.is_empty() && bytes.len() >= self.left;
            let (piece, rest) = bytes.split_at(self.left.min(bytes.len()));
            bytes = rest;
            self.left -= piece.len();
            if whole {
                each(self.event(piece));
                continue;
            }
            let room = HEAD.saturating_sub(self.head.len()).min(piece.len());
            self.head.extend_from_slice(&piece[..room]);
            if self.left == 0 {
                each(self.event(&self.head));
                self.head.clear();
            }
        }
    }

    /// Whether the fragment that is on its way has begun to arrive.
    pub fn fragment_begun(&self) -> bool {
        self.left > 0 && self.head.get(4..8) == Some(b"moof")
    }

    fn event(&self, head: &[u8]) -> Event {
        match self.opcode {
            BINARY => media::see(head).map_or(Event::Other, Event::Fragment),
            CLOSE => Event::Close,
            PING => Event::Ping,
            _ => Event::Other,
        }
    }

    /// Reads a frame's head (RFC 6455, 5.2; never masked from a server); false where more must come.
    /// An empty message tells of nothing but a ping.
    fn take_frame_head(&mut self, bytes: &mut &[u8]) -> bool {
        while let Some((&byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.frame_head.push(byte);
            let head = &self.frame_head[..];
            let length = match head {
                [_, 126, a, b] => usize::from(u16::from_be_bytes([*a, *b])),
                [_, 127, long @ ..] if long.len() == 8 => long
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
                [_, short @ 0..=125] => usize::from(*short),
                _ => continue,
            };
            self.opcode = head[0] & 0x0F;
            self.frame_head.clear();
            self.left = length;
            return true;
        }
        false
    }
}
