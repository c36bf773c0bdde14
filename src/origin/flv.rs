//! An FLV byte stream, cut into its tags. Pure.
//!
//! ```text
//! FLV   "FLV" version:u8 flags:u8 offset:u32   header, `offset` bytes
//!       size:u32                               of the tag before: none
//!       tag*
//! tag   type:u8 length:u24 time:u24 time:u8 stream:u24   11 bytes
//!       data, `length` bytes                   type 18: AMF0, a name and its values
//!                                              type 8, 9: codec and packet type first
//!       size:u32
//! ```
//! (Adobe Flash Video File Format Specification 10.1, annex E.)

const HEADER: usize = 9;
const TAG_HEADER: usize = 11;
const SIZE: usize = 4;

/// A header claims no more; a larger one is no FLV that we know.
const LONGEST_HEADER: usize = 1024;

/// What a tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Type 8.
    Audio,
    /// Type 9.
    Video,
    /// Type 18.
    Script,
    /// What there should not be.
    Other,
}

/// A whole tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(Vec<u8>);

/// A part of the stream. All of them together are the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A tag.
    Tag(Tag),
    /// The header, or what is no FLV.
    Other(Vec<u8>),
}

/// Takes a stream in parts of any size. Holds no more than one tag.
#[derive(Debug, Default)]
pub struct Cutter {
    stage: Stage,
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Header,
    Tag,
    /// It is no FLV.
    Lost,
}

impl Cutter {
    /// Takes the next bytes; gives back what they complete.
    pub fn cut(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.held.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        while let Some(length) = self.next() {
            let rest = self.held.split_off(length);
            let piece = std::mem::replace(&mut self.held, rest);
            pieces.push(match self.stage {
                Stage::Tag => Piece::Tag(Tag(piece)),
                Stage::Header | Stage::Lost => Piece::Other(piece),
            });
            if let Stage::Header = self.stage {
                self.stage = Stage::Tag;
            }
        }
        pieces
    }

    /// The length of the next piece, where it is there.
    fn next(&mut self) -> Option<usize> {
        if let Stage::Header = self.stage
            && self.held.len() >= HEADER
            && header(&self.held).is_none()
        {
            self.stage = Stage::Lost;
        }
        let length = match self.stage {
            Stage::Header => header(&self.held)?,
            Stage::Tag => tag(&self.held)?,
            Stage::Lost => self.held.len(),
        };
        (1..=self.held.len()).contains(&length).then_some(length)
    }
}

fn header(bytes: &[u8]) -> Option<usize> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let [b'F', b'L', b'V', _, _, offset @ ..] = header else {
        return None;
    };
    let offset = usize::try_from(u32::from_be_bytes(*offset)).ok()?;
    (HEADER..=LONGEST_HEADER)
        .contains(&offset)
        .then_some(offset + SIZE)
}

fn tag(bytes: &[u8]) -> Option<usize> {
    let ([_, a, b, c], _) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).ok()?;
    Some(TAG_HEADER + length + SIZE)
}

impl Tag {
    /// What it holds.
    pub fn kind(&self) -> Kind {
        match self.0.first() {
            Some(8) => Kind::Audio,
            Some(9) => Kind::Video,
            Some(18) => Kind::Script,
            _ => Kind::Other,
        }
    }

    /// Milliseconds.
    pub fn time(&self) -> u32 {
        match self.0[..] {
            [_, _, _, _, d, e, f, high, ..] => u32::from_be_bytes([high, d, e, f]),
            _ => 0,
        }
    }

    /// What stands between header and size.
    pub fn data(&self) -> &[u8] {
        let end = self.0.len().saturating_sub(SIZE);
        self.0.get(TAG_HEADER..end).unwrap_or_default()
    }

    /// Whether it configures a decoder of AAC or H.264, rather than to be decoded. Servers give such
    /// tags times of their own choice, 0 for one.
    pub fn configures(&self) -> bool {
        match (self.kind(), self.data()) {
            (Kind::Audio, [codec, kind, ..]) => codec >> 4 == 10 && *kind == 0,
            (Kind::Video, [codec, kind, ..]) => codec & 15 == 7 && *kind != 1,
            _ => false,
        }
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
pub(super) mod tests;
