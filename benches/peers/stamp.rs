//! A mark within the video that tells when a frame was published, and the search for it in what arrives.
//!
//! It stands in an SEI message (ITU-T H.264, D.1.7) before the picture, as text so that no start code
//! can come about in it, and passes every server that leaves pictures alone, whatever wraps them:
//!
//! ```text
//! NAL length (4)  06  05  28  MARK (16)  nanoseconds (16 hex digits)  frame (8 hex digits)  80
//! ```

/// What is searched for, in place of a UUID.
const MARK: &[u8; 16] = b"h5live-bench-at:";
const DIGITS: usize = 24;
const WHOLE: usize = MARK.len() + DIGITS;

/// How far behind an FLV tag's start its first NAL unit is (AVCPacketType and composition time).
const NALS_AT: usize = 5;

/// A frame's publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub nanos: u64,
    pub frame: u32,
}

impl Stamp {
    /// The data of a video tag with this stamp before its pictures.
    pub fn put(self, tag: &[u8]) -> Vec<u8> {
        let text = format!("{:016x}{:08x}", self.nanos, self.frame);
        let nal = [&[6, 5, WHOLE as u8], &MARK[..], text.as_bytes(), &[0x80]].concat();
        let length = (nal.len() as u32).to_be_bytes();
        [&tag[..NALS_AT], &length, &nal, &tag[NALS_AT..]].concat()
    }

    fn read(digits: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(digits).ok()?;
        Some(Self {
            nanos: u64::from_str_radix(text.get(..16)?, 16).ok()?,
            frame: u32::from_str_radix(text.get(16..)?, 16).ok()?,
        })
    }
}

/// Finds stamps in one client's bytes, also where a read ends within one.
#[derive(Default)]
pub struct Finder {
    rest: Vec<u8>,
}

impl Finder {
    /// Tells of each stamp whose last byte is in `bytes`.
    pub fn read(&mut self, bytes: &[u8], mut each: impl FnMut(Stamp)) {
        if !self.rest.is_empty() {
            // What is left of the last read, and enough of this one to end what began there.
            let old = self.rest.len();
            self.rest
                .extend_from_slice(&bytes[..bytes.len().min(WHOLE)]);
            let joined = std::mem::take(&mut self.rest);
            find(&joined, |at, stamp| {
                if at < old {
                    each(stamp);
                }
            });
            if bytes.len() < WHOLE {
                self.rest = joined[joined.len().saturating_sub(WHOLE - 1)..].to_vec();
                return;
            }
        }
        find(bytes, |_, stamp| each(stamp));
        self.rest
            .extend_from_slice(&bytes[bytes.len().saturating_sub(WHOLE - 1)..]);
    }
}

fn find(bytes: &[u8], mut each: impl FnMut(usize, Stamp)) {
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|&byte| byte == MARK[0]) {
        at += found;
        let Some(whole) = bytes.get(at..at + WHOLE) else {
            return;
        };
        if whole.starts_with(MARK)
            && let Some(stamp) = Stamp::read(&whole[MARK.len()..])
        {
            each(at, stamp);
        }
        at += 1;
    }
}
