//! Opens what the floor has sealed, as those who are watched of a TLS server decipher what they get.

use std::io::{self, Read};

use aws_lc_rs::aead::{Aad, LessSafeKey};

use super::seal;

/// Type, version and length of a record (RFC 8446, 5.1).
const HEAD: usize = 5;

/// One reader's.
pub struct Opener {
    key: LessSafeKey,
    sequence: u64,
    /// What was read and not opened yet.
    sealed: Vec<u8>,
}

impl Default for Opener {
    fn default() -> Self {
        Self {
            key: seal::key(),
            sequence: 0,
            sealed: Vec::new(),
        }
    }
}

impl Opener {
    /// Reads the text of a record, which `buffer` must have room for; 0 at the end.
    pub fn read(&mut self, from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(length) = self.open(buffer) {
                return Ok(length);
            }
            match from.read(buffer)? {
                0 => return Ok(0),
                read => self.sealed.extend_from_slice(&buffer[..read]),
            }
        }
    }

    fn open(&mut self, into: &mut [u8]) -> Option<usize> {
        let &[kind, major, minor, high, low] = self.sealed.first_chunk::<HEAD>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let record = self.sealed.get_mut(HEAD..HEAD + length)?;
        let head = Aad::from([kind, major, minor, high, low]);
        let nonce = seal::nonce(self.sequence);
        self.sequence += 1;
        let text = (self.key).open_in_place(nonce, head, record);
        // Its last byte says what it is.
        let (_, text) = text.expect("the floor's own key").split_last()?;
        let opened = text.len();
        into[..opened].copy_from_slice(text);
        self.sealed.drain(..HEAD + length);
        Some(opened)
    }
}
