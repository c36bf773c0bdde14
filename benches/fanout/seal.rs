//! What the cipher alone takes: one record after the other, sealed as TLS 1.3 does it (RFC 8446, 5.2), into a
//! buffer that is used again.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// The most plain bytes of a record (RFC 8446, 5.1).
const RECORD: usize = 1 << 14;
/// application_data, legacy_record_version; the length follows.
const HEAD: [u8; 3] = [0x17, 3, 3];
const TAG: usize = 16;

/// One connection's key: AES-128-GCM, which browsers ask for first and which the readers negotiate. It is the same for
/// all, so that readers have it too, but each connection has it in memory of its own.
pub fn key() -> LessSafeKey {
    let key = UnboundKey::new(&AES_128_GCM, &[0x5A; 16]).expect("as long as it must be");
    LessSafeKey::new(key)
}

/// Of a record, by its number within the connection (RFC 8446, 5.3).
pub fn nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&sequence.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// One connection's.
pub struct Sealer {
    key: LessSafeKey,
    sequence: u64,
}

impl Default for Sealer {
    fn default() -> Self {
        Self {
            key: key(),
            sequence: 0,
        }
    }
}

impl Sealer {
    /// Puts the records of a message into `out`.
    pub fn seal(&mut self, message: &[u8], out: &mut Vec<u8>) {
        out.clear();
        for piece in message.chunks(RECORD) {
            let length = (piece.len() + 1 + TAG) as u16;
            let mut head = [0; 5];
            head[..3].copy_from_slice(&HEAD);
            head[3..].copy_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&head);
            let start = out.len();
            out.extend_from_slice(piece);
            out.push(HEAD[0]);
            let nonce = nonce(self.sequence);
            self.sequence += 1;
            let sealed =
                (self.key).seal_in_place_separate_tag(nonce, Aad::from(head), &mut out[start..]);
            out.extend_from_slice(sealed.expect("it is short enough").as_ref());
        }
    }
}
