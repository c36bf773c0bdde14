//! Script data in an FLV byte stream, and a change of publishers, found as the bytes pass by. Pure.
//!
//! ```text
//! FLV   "FLV" version:u8 flags:u8 offset:u32   header, `offset` bytes
//!       size:u32                               of the tag before: none
//!       tag*
//! tag   type:u8 length:u24 time:u24 time:u8 stream:u24   11 bytes
//!       data, `length` bytes                   type 18: AMF0, a name and its values
//!                                              type 8, 9: codec and packet type first, see `Packet`
//!       size:u32
//! ```
//! (Adobe Flash Video File Format Specification 10.1, annex E.)

use serde_json::Value;

use super::amf;

const HEADER: usize = 9;
const TAG_HEADER: usize = 11;
const SIZE: u32 = 4;
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const SCRIPT_DATA: u8 = 18;

/// What of a packet is read: codec and packet type.
const PACKET: usize = 2;

/// A track whose time goes back by more milliseconds is another publisher's. `flvdemux` corrects two
/// seconds and more, each track by itself: picture and sound would drift apart.
const BACK: u32 = 1000;

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
    /// Whether it says that there is a picture. Servers that hold video back until a keyframe send
    /// nothing else that tells.
    pub announces_video: bool,
}

/// Reads an FLV stream in pieces of any size. Holds no more than one script tag.
#[derive(Debug)]
pub struct Scanner {
    next: Next,
    held: Vec<u8>,
    /// The last packets' times.
    audio: Option<u32>,
    video: Option<u32>,
    restarted: bool,
}

/// A packet of sound or picture, before its data.
#[derive(Clone, Copy, Debug)]
struct Packet {
    kind: u8,
    /// Milliseconds.
    time: u32,
    length: u32,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Header,
    TagHeader,
    /// Codec and packet type are to come.
    Packet(Packet),
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
            audio: None,
            video: None,
            restarted: false,
        }
    }

    /// Whether a track's time has gone back: another publisher has taken over, or 32 bits were not
    /// enough for the one, after 49 days.
    pub fn restarted(&self) -> bool {
        self.restarted
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
                Next::Packet(packet) => {
                    if let Some(data) = self.collect(&mut bytes, PACKET) {
                        self.note(packet, &data);
                        self.next = skip(packet.length - PACKET as u32 + SIZE);
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

    fn note(&mut self, packet: Packet, data: &[u8]) {
        // Servers give codec configurations times of their own choice, 0 for one.
        let configuration = match (packet.kind, data) {
            (AUDIO, [codec, kind]) => codec >> 4 == 10 && *kind == 0,
            (VIDEO, [codec, kind]) => codec & 15 == 7 && *kind != 1,
            _ => false,
        };
        if configuration {
            return;
        }
        let last = match packet.kind {
            AUDIO => &mut self.audio,
            _ => &mut self.video,
        };
        let before = last.replace(packet.time).unwrap_or(0);
        self.restarted |= before.saturating_sub(packet.time) > BACK;
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
    let [kind, a, b, c, d, e, f, high, ..] = *header else {
        return Next::Lost;
    };
    let length = u32::from_be_bytes([0, a, b, c]);
    match kind {
        SCRIPT_DATA if (1..=LONGEST_SCRIPT).contains(&length) => Next::Script(length),
        AUDIO | VIDEO if length >= PACKET as u32 => Next::Packet(Packet {
            kind,
            time: u32::from_be_bytes([high, d, e, f]),
            length,
        }),
        _ => skip(length + SIZE),
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
        announces_video: handler == "onMetaData" && names_video(&value),
        message: value.to_string(),
        handler,
    })
}

/// Publishers write a codec's number or its name; some servers add 0 for what there is not.
fn names_video(metadata: &Value) -> bool {
    let said = |key| match &metadata[key] {
        Value::Number(number) => number.as_f64() > Some(0.0),
        Value::String(name) => !name.is_empty(),
        _ => false,
    };
    said("videocodecid") || said("width")
}

#[cfg(test)]
mod tests;
