//! WebSocket framing (RFC 6455, 5.2), both ways and without a socket. Pure.
//!
//! ```text
//!  server to client (never masked)         client to server (always masked)
//!  FIN+opcode  1                           FIN+opcode  1
//!  length      1, 1+2 or 1+8               1+length    1, 1+2 or 1+8
//!                                          mask        4
//!  payload                                 payload ^ mask
//! ```

use bytes::Bytes;

/// Frame types (RFC 6455, 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// UTF-8.
    Text = 0x1,
    /// Anything.
    Binary = 0x2,
    /// The last frame of a side.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xA,
}

/// The longest payload of a control frame (RFC 6455, 5.5).
const CONTROL_MAX: usize = 125;

/// Appends the head of an unfragmented, unmasked frame of `length` payload bytes.
pub fn write_head(out: &mut Vec<u8>, opcode: Opcode, length: usize) {
    out.push(0x80 | opcode as u8);
    if length <= CONTROL_MAX {
        out.push(length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// Appends one whole unmasked frame.
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    write_head(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

/// One whole unmasked frame.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + 10);
    write_frame(&mut out, opcode, payload);
    out.into()
}

/// A close frame; the reason is cut to what a control frame can carry.
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(CONTROL_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = Vec::with_capacity(CONTROL_MAX);
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    frame(Opcode::Close, &payload)
}

/// What a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message, whole.
    Text(String),
    /// A fragment of a text message that goes on; told so that fragments can be counted.
    Part,
    /// A ping, with what its pong must carry.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The client closes.
    Close,
}

/// Why a client's bytes are no WebSocket stream that we take. After one, the reader is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// RFC 6455, 5.1: a server must close on an unmasked frame; also reserved bits, opcodes, lengths.
    #[error("the frame breaks RFC 6455")]
    Protocol,
    /// The message is larger than this reader takes.
    #[error("the message is too big")]
    TooBig,
    /// The text is not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// Clients of this server have nothing to say in binary.
    #[error("binary messages are not taken")]
    Binary,
}

impl Violation {
    /// The close code that RFC 6455, 7.4.1 gives it.
    pub fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::Binary => 1003,
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
        }
    }
}

/// Reads a client's frames from bytes in any portions. Holds at most one message of `limit` bytes.
#[derive(Debug)]
pub struct Reader {
    limit: usize,
    input: Vec<u8>,
    text: Option<Vec<u8>>,
}

struct Head {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    start: usize,
    end: usize,
}

impl Reader {
    /// `limit`: the most bytes that a message may have.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            input: Vec::new(),
            text: None,
        }
    }

    /// Takes bytes and gives each message or fragment that they complete to `each`, until that returns false.
    pub fn read(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Message) -> bool,
    ) -> Result<(), Violation> {
        self.input.extend_from_slice(bytes);
        let mut used = 0;
        while let Some(head) = head(&self.input[used..], self.limit)? {
            let frame = &mut self.input[used..];
            if frame.len() < head.end {
                break;
            }
            let payload = &mut frame[head.start..head.end];
            for (i, byte) in payload.iter_mut().enumerate() {
                *byte ^= head.mask[i % 4];
            }
            let message = complete(&mut self.text, self.limit, &head, payload)?;
            used += head.end;
            if !each(message) {
                break;
            }
        }
        self.input.drain(..used);
        if self.input.is_empty() {
            // Idle sessions keep no buffer.
            self.input = Vec::new();
        }
        Ok(())
    }
}

fn head(input: &[u8], limit: usize) -> Result<Option<Head>, Violation> {
    let [first, second, rest @ ..] = input else {
        return Ok(None);
    };
    if first & 0x70 != 0 || second & 0x80 == 0 {
        return Err(Violation::Protocol);
    }
    let (length, size) = match second & 0x7F {
        126 => match rest {
            [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 2),
            _ => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8),
            None => return Ok(None),
        },
        short => (u64::from(short), 0),
    };
    let fin = first & 0x80 != 0;
    let opcode = first & 0x0F;
    if opcode >= 0x8 && (!fin || length > CONTROL_MAX as u64) {
        return Err(Violation::Protocol);
    }
    if length > limit as u64 {
        return Err(Violation::TooBig);
    }
    let Some(mask) = rest.get(size..).and_then(|rest| rest.first_chunk::<4>()) else {
        return Ok(None);
    };
    let start = 2 + size + 4;
    Ok(Some(Head {
        fin,
        opcode,
        mask: *mask,
        start,
        end: start + length as usize,
    }))
}

fn complete(
    text: &mut Option<Vec<u8>>,
    limit: usize,
    head: &Head,
    payload: &[u8],
) -> Result<Message, Violation> {
    match head.opcode {
        0x0 => {
            let so_far = text.as_mut().ok_or(Violation::Protocol)?;
            if so_far.len() + payload.len() > limit {
                return Err(Violation::TooBig);
            }
            so_far.extend_from_slice(payload);
        }
        0x1 if text.is_none() => *text = Some(payload.to_vec()),
        0x2 => return Err(Violation::Binary),
        0x8 => return Ok(Message::Close),
        0x9 => return Ok(Message::Ping(payload.to_vec())),
        0xA => return Ok(Message::Pong),
        _ => return Err(Violation::Protocol),
    }
    if !head.fin {
        return Ok(Message::Part);
    }
    String::from_utf8(text.take().unwrap_or_default())
        .map(Message::Text)
        .map_err(|_| Violation::NotUtf8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn client(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_head(&mut out, Opcode::Text, payload.len());
        out[0] = first;
        out[1] |= 0x80;
        let mask = [1, 2, 3, 4];
        out.extend_from_slice(&mask);
        out.extend(payload.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]));
        out
    }

    fn read(reader: &mut Reader, bytes: &[u8]) -> Result<Vec<Message>, Violation> {
        let mut messages = Vec::new();
        reader.read(bytes, |message| {
            messages.push(message);
            true
        })?;
        Ok(messages)
    }

    #[test]
    fn messages_arrive_in_any_portions() {
        let mut all = client(0x81, b"{}");
        all.extend(client(0x89, b"hi"));
        all.extend(client(0x01, b"ab"));
        all.extend(client(0x8A, b""));
        all.extend(client(0x80, &[b'c'; 300]));
        all.extend(client(0x88, &[3, 232]));
        for portion in [1, 2, 3, 7, all.len()] {
            let mut reader = Reader::new(1024);
            let mut messages = Vec::new();
            for bytes in all.chunks(portion) {
                messages.extend(read(&mut reader, bytes).unwrap());
            }
            let long = "ab".to_owned() + &"c".repeat(300);
            let expected = [
                Message::Text("{}".into()),
                Message::Ping(b"hi".to_vec()),
                Message::Part,
                Message::Pong,
                Message::Text(long),
                Message::Close,
            ];
            assert_eq!(messages, expected, "in portions of {portion}");
            assert_eq!(reader.input.capacity(), 0, "an idle reader holds nothing");
        }
    }

    #[test]
    fn violations() {
        let unmasked = frame(Opcode::Text, b"x").to_vec();
        let mut giant = vec![0x81, 0xFF];
        giant.extend_from_slice(&u64::MAX.to_be_bytes());
        let mut second_start = client(0x01, b"a");
        second_start.extend(client(0x81, b"b"));
        let mut creeping = client(0x01, &[b'a'; 60]);
        creeping.extend(client(0x00, &[b'a'; 60]));
        let rows: [(&str, Vec<u8>, Violation); 11] = [
            ("unmasked", unmasked, Violation::Protocol),
            ("compressed", client(0xC1, b"x"), Violation::Protocol),
            ("unknown opcode", client(0x83, b"x"), Violation::Protocol),
            ("unknown control", client(0x8B, b"x"), Violation::Protocol),
            ("fragmented ping", client(0x09, b"x"), Violation::Protocol),
            ("long ping", client(0x89, &[0; 126]), Violation::Protocol),
            (
                "nothing to continue",
                client(0x80, b"x"),
                Violation::Protocol,
            ),
            ("text within text", second_start, Violation::Protocol),
            ("giant length", giant, Violation::TooBig),
            ("creeping past the limit", creeping, Violation::TooBig),
            ("binary", client(0x82, b"x"), Violation::Binary),
        ];
        for (name, bytes, violation) in rows {
            assert_eq!(
                read(&mut Reader::new(100), &bytes),
                Err(violation),
                "{name}"
            );
        }
        let overlong = client(0x81, &[0xC0, 0xAF]);
        assert_eq!(
            read(&mut Reader::new(100), &overlong),
            Err(Violation::NotUtf8)
        );
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let frame = close_frame(4901, &"é".repeat(100));
        assert!(frame.len() <= 2 + CONTROL_MAX);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
