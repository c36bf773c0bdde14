//! RTSP messages and interleaved frames (RFC 2326) as they stand on a connection. Pure: bytes in, messages
//! out, within bounds.

use bytes::{Buf, Bytes, BytesMut};

/// Bounds of what stands on a connection, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// A message's first line and headers together.
    pub head: usize,
    /// Its body.
    pub body: usize,
}

/// Bytes that are no RTSP, or too many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("this is no RTSP message")]
    Message,
    #[error("the message's head is too long")]
    Head,
    #[error("the message's body is too long")]
    Body,
}

/// What comes next on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Interleaved binary data (10.12), its four bytes of head included.
    Frame(Bytes),
    /// A request or a response.
    Message(Message),
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The first line.
    pub line: String,
    headers: Vec<(String, String)>,
}

/// The magic byte of a frame.
const DOLLAR: u8 = b'$';
const FRAME_HEAD: usize = 4;

/// How many bytes the first part of `bytes` has, once it is there as a whole.
pub(super) fn measure(bytes: &[u8], bounds: Bounds) -> Result<Option<usize>, Malformed> {
    if let [DOLLAR, rest @ ..] = bytes {
        let [_, high, low, ..] = rest else {
            return Ok(None);
        };
        let length = FRAME_HEAD + usize::from(u16::from_be_bytes([*high, *low]));
        return Ok((bytes.len() >= length).then_some(length));
    }
    let looked_at = &bytes[..bytes.len().min(bounds.head)];
    let Some(end) = looked_at.windows(4).position(|at| at == b"\r\n\r\n") else {
        return match bytes.len() >= bounds.head {
            true => Err(Malformed::Head),
            false => Ok(None),
        };
    };
    let head = end + 4;
    let message = Message::read(&bytes[..head])?;
    let body = match message.header("Content-Length")? {
        Some(length) => length.parse().map_err(|_| Malformed::Message)?,
        None => 0,
    };
    if body > bounds.body {
        return Err(Malformed::Body);
    }
    Ok((bytes.len() >= head + body).then_some(head + body))
}

/// Takes the first part, once it is there as a whole. A message's body is passed over.
pub(super) fn take(bytes: &mut BytesMut, bounds: Bounds) -> Result<Option<Part>, Malformed> {
    // Empty lines between messages, which some send to keep a connection.
    while bytes.starts_with(b"\r\n") {
        bytes.advance(2);
    }
    let Some(length) = measure(bytes, bounds)? else {
        return Ok(None);
    };
    let part = bytes.split_to(length).freeze();
    Ok(Some(match part.first() {
        Some(&DOLLAR) => Part::Frame(part),
        _ => Part::Message(Message::read(&part)?),
    }))
}

impl Message {
    /// Reads the head at the beginning of `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let end = bytes.windows(4).position(|at| at == b"\r\n\r\n");
        let head = &bytes[..end.ok_or(Malformed::Message)?];
        let head = std::str::from_utf8(head).map_err(|_| Malformed::Message)?;
        let mut lines = head.split("\r\n");
        let line = lines.next().filter(|line| is_text(line));
        let headers: Option<_> = lines.map(header).collect();
        Ok(Self {
            line: line.ok_or(Malformed::Message)?.to_owned(),
            headers: headers.ok_or(Malformed::Message)?,
        })
    }

    /// A header, which may stand there once: two could be read in two ways.
    pub fn header(&self, name: &str) -> Result<Option<&str>, Malformed> {
        let is = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        let mut found = self.headers.iter().filter(is);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(Malformed::Message),
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
        }
    }
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_!#$%&'*+.^`|~".contains(&byte);
    let fits = !name.is_empty() && name.bytes().all(is_token) && is_text(value);
    fits.then(|| (name.to_owned(), value.trim().to_owned()))
}

/// No control character, so that nothing in it can be taken for the end of a line.
fn is_text(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it == '\t' || !it.is_control())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { head: 64, body: 8 };

    fn all(text: &[u8]) -> Result<Vec<Part>, Malformed> {
        let mut bytes = BytesMut::from(text);
        let mut parts = Vec::new();
        while let Some(part) = take(&mut bytes, BOUNDS)? {
            parts.push(part);
        }
        Ok(parts)
    }

    #[test]
    fn parts_follow_one_another_however_they_are_cut() {
        let text = b"\r\nOPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length:2\r\n\r\nab\
                     $\x01\x00\x03xyzPLAY rtsp://h/s RTSP/1.0\r\ncseq:2\r\n\r\n";
        let parts = all(text).unwrap();
        let [
            Part::Message(options),
            Part::Frame(frame),
            Part::Message(play),
        ] = &parts[..]
        else {
            panic!("{parts:?}");
        };
        assert_eq!(options.line, "OPTIONS * RTSP/1.0");
        assert_eq!(options.header("cseq"), Ok(Some("1")));
        assert_eq!(frame[..], b"$\x01\x00\x03xyz"[..]);
        assert_eq!(play.header("CSeq"), Ok(Some("2")));
        for length in 0..text.len() {
            let mut whole = all(&text[..length]).unwrap();
            whole.truncate(3);
            assert_eq!(whole[..], parts[..whole.len()], "{length} bytes");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let rows: [(&[u8], Malformed); 8] = [
            (b"A\r\n: x\r\n\r\n", Malformed::Message),
            (b"A\r\nb c: x\r\n\r\n", Malformed::Message),
            (b"A\r\nb: x\r\n folded\r\n\r\n", Malformed::Message),
            (b"A\nb\r\n\r\n", Malformed::Message),
            (b"A\r\nb: \xff\r\n\r\n", Malformed::Message),
            (
                b"A\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n",
                Malformed::Message,
            ),
            (b"A\r\nContent-Length: 9\r\n\r\n", Malformed::Body),
            (&[b'A'; 64], Malformed::Head),
        ];
        for (text, expected) in rows {
            assert_eq!(all(text), Err(expected), "{:?}", text.escape_ascii());
        }
    }
}
