//! What one reader was sent from its beginning, looked at closely when all is over: that it is what a player
//! takes, box by box, and that a decoder makes as many pictures of it as there are.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Some seconds.
const KEPT: usize = 4 << 20;

/// Bytes of a reader, as they came.
#[derive(Default)]
pub struct Specimen(Vec<u8>);

impl Specimen {
    pub fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT - self.0.len();
        self.0.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    /// What was found: fragments, pictures that were decoded of them (nothing without ffmpeg's `ffprobe`), and
    /// what is wrong.
    pub fn judge(&self) -> Value {
        match media(&self.0) {
            Ok((file, fragments)) => match decode(&file) {
                Ok(pictures) => json!({
                    "fragments": fragments,
                    "pictures": pictures,
                    "wrong": pictures.filter(|&decoded| decoded != fragments)
                        .map(|decoded| format!("{decoded} pictures of {fragments} fragments")),
                }),
                Err(wrong) => json!({"fragments": fragments, "wrong": wrong}),
            },
            Err(wrong) => json!({"fragments": 0, "wrong": wrong}),
        }
    }
}

/// The media of all whole messages as one file, and how many fragments it has.
fn media(mut bytes: &[u8]) -> Result<(Vec<u8>, u64), String> {
    let (mut file, mut fragments) = (Vec::new(), 0);
    while let Some((opcode, payload, rest)) = message(bytes) {
        bytes = rest;
        if opcode != 0x2 {
            continue;
        }
        let boxes = boxes(payload)?;
        match boxes.join(" ").as_str() {
            "ftyp moov" if file.is_empty() => {}
            "moof mdat" if !file.is_empty() => fragments += 1,
            other => return Err(format!("a message of the boxes {other}")),
        }
        file.extend_from_slice(payload);
    }
    Ok((file, fragments))
}

/// The first whole message: its opcode, its payload, and what comes then (RFC 6455, 5.2).
fn message(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, short], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match short {
        126 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk::<8>()?;
            (u64::from_be_bytes(*length) as usize, rest)
        }
        short => (usize::from(short), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((first & 0x0F, payload, rest))
}

/// The types of the boxes that the payload is made of, to its last byte (ISO/IEC 14496-12, 4.2).
fn boxes(mut payload: &[u8]) -> Result<Vec<String>, String> {
    let mut types = Vec::new();
    while let Some((head, _)) = payload.split_first_chunk::<8>() {
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        types.push(String::from_utf8_lossy(&head[4..]).into_owned());
        let rest = payload.get(size.max(8)..);
        payload = rest.ok_or("a box is longer than its message")?;
    }
    match payload {
        [] => Ok(types),
        _ => Err("a message ends within a box".into()),
    }
}

/// How many pictures a decoder makes of it; nothing where there is no decoder.
fn decode(file: &[u8]) -> Result<Option<u64>, String> {
    let arguments = "-v error -count_frames -select_streams v -show_entries stream=nb_read_frames -of csv=p=0 -";
    let started = Command::new("ffprobe")
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut probe) = started else {
        return Ok(None);
    };
    let mut input = probe.stdin.take().expect("it is piped");
    let written = input.write_all(file);
    drop(input);
    let output = probe
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    if written.is_err() || !complaints.is_empty() {
        return Err(format!("ffprobe: {complaints}"));
    }
    let told = String::from_utf8_lossy(&output.stdout);
    let number = told.trim().trim_end_matches(',').parse();
    number.map(Some).map_err(|_| format!("ffprobe: {told}"))
}
