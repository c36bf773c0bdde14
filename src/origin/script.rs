//! Script data in an FLV byte stream, found as the bytes pass by. Pure.
//!
//! ```text
//! FLV   "FLV" version:u8 flags:u8 offset:u32   header, `offset` bytes
//!       size:u32                               of the tag before: none
//!       tag*
//! tag   type:u8 length:u24 time:u24 time:u8 stream:u24   11 bytes
//!       data, `length` bytes                   type 18: AMF0, a name and its values
//!       size:u32
//! ```
//! (Adobe Flash Video File Format Specification 10.1, annex E.)

use serde_json::Value;

use super::amf;

const HEADER: usize = 9;
const TAG_HEADER: usize = 11;
const SIZE: u32 = 4;
const SCRIPT_DATA: u8 = 18;

/// A longer tag is passed over.
const LONGEST_SCRIPT: u32 = 64 * 1024;

/// A header claims no more; a larger one is no FLV that we know.
const LONGEST_HEADER: u32 = 1024;

/// Longer names are nobody's.
const LONGEST_HANDLER: usize = 64;

/// What a publisher says besides picture and sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Whom it calls; `onMetaData`, most of the time.
    pub handler: String,
    /// JSON: the value, or a list where there are several.
    pub message: String,
}

/// Reads an FLV stream in pieces of any size. Holds no more than one script tag.
#[derive(Debug)]
pub struct Scanner {
    next: Next,
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Header,
    TagHeader,
    /// So many bytes of a script tag's data are to come.
    Script(u32),
    /// So many bytes of no interest are to come.
    Skip(u32),
    /// It is no FLV.
    Lost,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// At the beginning of a stream.
    pub fn new() -> Self {
        Self {
            next: Next::Header,
            held: Vec::new(),
        }
    }

    /// Takes the next bytes; gives back what scripts they complete. What can't be read is left out.
    pub fn scan(&mut self, mut bytes: &[u8]) -> Vec<Script> {
        let mut scripts = Vec::new();
        while !bytes.is_empty() {
            match self.next {
                Next::Lost => break,
                Next::Skip(left) => {
                    let taken = bytes.len().min(left as usize);
                    bytes = &bytes[taken..];
                    self.next = skip(left - taken as u32);
                }
                Next::Header => {
                    if let Some(header) = self.collect(&mut bytes, HEADER) {
                        self.next = after_header(&header);
                    }
                }
                Next::TagHeader => {
                    if let Some(header) = self.collect(&mut bytes, TAG_HEADER) {
                        self.next = after_tag_header(&header);
                    }
                }
                Next::Script(length) => {
                    if let Some(data) = self.collect(&mut bytes, length as usize) {
                        scripts.extend(script(&data));
                        self.next = skip(SIZE);
                    }
                }
            }
        }
        scripts
    }

    /// Adds to what is held until it has so many bytes.
    fn collect(&mut self, bytes: &mut &[u8], wanted: usize) -> Option<Vec<u8>> {
        let taken = bytes.len().min(wanted - self.held.len());
        let (taken, rest) = bytes.split_at(taken);
        self.held.extend_from_slice(taken);
        *bytes = rest;
        (self.held.len() == wanted).then(|| std::mem::take(&mut self.held))
    }
}

fn skip(left: u32) -> Next {
    match left {
        0 => Next::TagHeader,
        left => Next::Skip(left),
    }
}

fn after_header(header: &[u8]) -> Next {
    match header {
        [b'F', b'L', b'V', _, _, offset @ ..] => {
            let offset = offset.try_into().map_or(0, u32::from_be_bytes);
            match offset.checked_sub(HEADER as u32) {
                Some(more) if offset <= LONGEST_HEADER => skip(more + SIZE),
                _ => Next::Lost,
            }
        }
        _ => Next::Lost,
    }
}

fn after_tag_header(header: &[u8]) -> Next {
    let [kind, a, b, c, ..] = *header else {
        return Next::Lost;
    };
    match u32::from_be_bytes([0, a, b, c]) {
        length @ 1..=LONGEST_SCRIPT if kind == SCRIPT_DATA => Next::Script(length),
        length => skip(length + SIZE),
    }
}

fn script(data: &[u8]) -> Option<Script> {
    let mut values = amf::values(data).ok()?.into_iter().peekable();
    // What a publisher says to its server; some servers pass it on as it is.
    values.next_if_eq(&Value::from("@setDataFrame"));
    let Some(Value::String(handler)) = values.next() else {
        return None;
    };
    let mut values: Vec<Value> = values.collect();
    let value = match values.len() {
        1 => values.remove(0),
        _ => Value::Array(values),
    };
    (handler.len() <= LONGEST_HANDLER).then(|| Script {
        handler,
        message: value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const FLV: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

    fn tag(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = data.len() as u32;
        let mut out = vec![kind];
        out.extend(&length.to_be_bytes()[1..]);
        out.extend([0; 7]);
        out.extend(data);
        out.extend((length + TAG_HEADER as u32).to_be_bytes());
        out
    }

    fn call(handler: &str) -> Vec<u8> {
        let mut out = vec![2];
        out.extend((handler.len() as u16).to_be_bytes());
        out.extend(handler.bytes());
        out
    }

    fn metadata() -> Vec<u8> {
        [call("onMetaData"), b"\x03\0\x01a\x01\x01\0\0\x09".to_vec()].concat()
    }

    fn found() -> Script {
        Script {
            handler: "onMetaData".to_owned(),
            message: r#"{"a":true}"#.to_owned(),
        }
    }

    fn stream() -> Vec<u8> {
        [
            FLV.to_vec(),
            tag(18, &metadata()),
            tag(9, &[7; 500]),
            tag(8, &[]),
            tag(18, &[]),
            tag(18, &metadata()),
            tag(9, &[7; 3]),
        ]
        .concat()
    }

    #[test]
    fn scripts_are_found_in_pieces_of_any_size() {
        let stream = stream();
        for size in (1..80).chain([stream.len()]) {
            let mut scanner = Scanner::new();
            let scripts: Vec<Script> = stream
                .chunks(size)
                .flat_map(|piece| scanner.scan(piece))
                .collect();
            assert_eq!(scripts, [found(), found()], "{size}");
        }
    }

    #[test]
    fn a_stream_that_ends_early_gives_what_was_whole() {
        let stream = stream();
        let first = FLV.len() + TAG_HEADER + metadata().len();
        let second = stream.len() - tag(9, &[7; 3]).len() - SIZE as usize;
        for end in 0..stream.len() {
            let count = usize::from(end >= first) + usize::from(end >= second);
            assert_eq!(Scanner::new().scan(&stream[..end]).len(), count, "{end}");
        }
    }

    #[test]
    fn what_is_no_flv_is_let_pass() {
        for bytes in [
            b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec(),
            b"FLV\x01\x05\0\0\0\x08\0\0\0\0".to_vec(),
            b"FLV\x01\x05\xff\xff\xff\xff\0\0\0\0".to_vec(),
        ] {
            let mut scanner = Scanner::new();
            let stream = [bytes, tag(18, &metadata())].concat();
            assert!(scanner.scan(&stream).is_empty());
            assert!(matches!(scanner.next, Next::Lost));
        }
    }

    #[test]
    fn a_longer_header_is_passed_over() {
        let stream = [
            b"FLV\x01\x05\0\0\0\x0c...\0\0\0\0".to_vec(),
            tag(18, &metadata()),
        ];
        assert_eq!(Scanner::new().scan(&stream.concat()), [found()]);
    }

    #[test]
    fn a_tag_past_the_bound_is_passed_over_without_being_held() {
        let mut scanner = Scanner::new();
        let long = tag(18, &vec![2; LONGEST_SCRIPT as usize + 1]);
        for piece in [FLV, &long].concat().chunks(64) {
            assert!(scanner.scan(piece).is_empty());
            assert!(scanner.held.len() <= TAG_HEADER);
        }
        assert_eq!(scanner.scan(&tag(18, &metadata())), [found()]);
    }

    #[test]
    fn a_script_that_can_not_be_read_is_left_out() {
        let bad = [
            tag(18, b"\x02\0\xff"),
            tag(18, b"\x05"),
            tag(18, &call(&"x".repeat(LONGEST_HANDLER + 1))),
            tag(18, &metadata()),
        ];
        let stream = [FLV.to_vec(), bad.concat()].concat();
        assert_eq!(Scanner::new().scan(&stream), [found()]);
    }

    #[test]
    fn a_publishers_own_call_is_unwrapped_and_several_values_are_a_list() {
        let data = [call("@setDataFrame"), call("onText"), b"\x05\x05".to_vec()].concat();
        let stream = [FLV.to_vec(), tag(18, &data)].concat();
        let expected = Script {
            handler: "onText".to_owned(),
            message: "[null,null]".to_owned(),
        };
        assert_eq!(Scanner::new().scan(&stream), [expected]);
    }
}
