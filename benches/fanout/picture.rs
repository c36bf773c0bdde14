//! H.264 pictures and AAC frames that any decoder takes, of any size that is wanted, made without an encoder:
//! a grey picture, and one that repeats it. What makes them large is filler, which decoders skip.
//!
//! ```text
//! SEI NAL unit     length (4)  06  05 (user_data_unregistered)  size (1)  UUID (16)  STAMP (11)  80
//! slice NAL unit   length (4)  65 or 61 …
//! filler NAL unit  length (4)  0C  FF…  80
//! STAMP            nanoseconds of publication, 7 bits a byte, low ones first (10)  K, or - without a keyframe
//! ```
//! (ITU-T H.264, 7.3 and D.1.7; the stamp has no zero bytes, so there is nothing to escape.)

use bytes::{BufMut, Bytes};

/// Of 1280 × 720, in macroblocks.
const WIDTH: u32 = 80;
const HEIGHT: u32 = 45;

/// Of our own: nobody else's SEI is taken for a stamp.
const UUID: [u8; 16] = *b"h5live fan-out\xB5\x01";

/// How far behind the start of a picture its stamp stands.
pub const STAMP_AT: usize = 4 + 3 + UUID.len();
pub const STAMP: usize = STAMP_DIGITS + 1;
const STAMP_DIGITS: usize = 10;

/// Baseline, level 3.1.
const PROFILE: [u8; 3] = [66, 0xC0, 31];

/// Bits, the high ones first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, count: usize, value: u32) {
        for at in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= ((value >> at & 1) as u8) << (7 - self.used % 8);
            self.used += 1;
        }
    }

    /// ue(v), and se(v) of zero (H.264, 9.1).
    fn golomb(&mut self, value: u32) {
        let length = (value + 1).ilog2() as usize;
        self.put(length, 0);
        self.put(length + 1, value + 1);
    }

    /// rbsp_trailing_bits.
    fn end(mut self) -> Vec<u8> {
        self.put(1, 1);
        self.bytes
    }
}

/// The AVCDecoderConfigurationRecord of these pictures (ISO/IEC 14496-15, 5.3.3.1).
pub fn configuration() -> Bytes {
    let mut sps = Bits::default();
    for byte in [0x67].iter().chain(&PROFILE) {
        sps.put(8, (*byte).into());
    }
    // Its id, 4 bits of frame_num, pictures shown as they are decoded, one reference picture.
    for value in [0, 0, 2, 1] {
        sps.golomb(value);
    }
    sps.put(1, 0);
    sps.golomb(WIDTH - 1);
    sps.golomb(HEIGHT - 1);
    // Frames only, direct_8x8_inference; no cropping, no VUI.
    sps.put(4, 0b1100);
    let mut pps = Bits::default();
    pps.put(8, 0x68);
    pps.golomb(0);
    pps.golomb(0);
    // CAVLC, no field order.
    pps.put(2, 0);
    for _ in 0..3 {
        pps.golomb(0);
    }
    pps.put(3, 0);
    for _ in 0..3 {
        pps.golomb(0);
    }
    pps.put(3, 0);

    let mut record = vec![1];
    record.extend(PROFILE);
    record.push(0xFF);
    for (count, unit) in [(0xE1, sps.end()), (1, pps.end())] {
        record.push(count);
        record.put_u16(unit.len() as u16);
        record.extend(unit);
    }
    record.into()
}

/// A picture of `length` bytes, which is at least what a grey one takes (4 KB). `frame` counts from the last
/// keyframe.
pub fn picture(frame: u64, length: usize) -> Vec<u8> {
    let keyframe = frame == 0;
    let mut sei = vec![0x06, 0x05, (UUID.len() + STAMP) as u8];
    sei.extend(UUID);
    sei.extend([0x80; STAMP_DIGITS]);
    sei.push(if keyframe { b'K' } else { b'-' });
    sei.push(0x80);
    let slice = if keyframe { grey() } else { repeated(frame) };
    let mut data = Vec::with_capacity(length);
    for unit in [sei, slice] {
        data.put_u32(unit.len() as u32);
        data.extend(unit);
    }
    let filler = length.saturating_sub(data.len() + 4).max(2);
    data.put_u32(filler as u32);
    data.push(0x0C);
    data.resize(data.len() + filler - 2, 0xFF);
    data.push(0x80);
    data
}

/// An IDR picture: every macroblock is predicted from nothing, and nothing is added.
fn grey() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(8, 0x65);
    // The first macroblock, an I slice, its parameter set; frame_num; idr_pic_id; what references become; QP.
    for value in [0, 7, 0] {
        bits.golomb(value);
    }
    bits.put(4, 0);
    bits.golomb(0);
    bits.put(2, 0);
    bits.golomb(0);
    for _ in 0..WIDTH * HEIGHT {
        // I_16x16 by the mean, chroma by the mean, no QP delta, no DC coefficients.
        bits.golomb(3);
        bits.golomb(0);
        bits.golomb(0);
        bits.put(1, 1);
    }
    bits.end()
}

/// A P picture that skips every macroblock.
fn repeated(frame: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(8, 0x61);
    for value in [0, 5, 0] {
        bits.golomb(value);
    }
    bits.put(4, (frame % 16) as u32);
    // No other number of references, no other order, no other marking; QP.
    bits.put(3, 0);
    bits.golomb(0);
    bits.golomb(WIDTH * HEIGHT);
    bits.end()
}

/// A silent AAC-LC stereo frame of `length` bytes, two fill elements in it (ISO/IEC 14496-3, 4.4.2).
pub fn silence(length: usize) -> Vec<u8> {
    /// Bits of the channel pair, of the heads of two fill elements, and of the end.
    const AROUND: usize = 43 + 2 * 15 + 3;
    let mut bits = Bits::default();
    bits.put(3, 1);
    bits.put(4, 0);
    // One window for both; nothing in it, no stereo, and for each a gain and no tools.
    bits.put(1, 1);
    bits.put(11 + 2 + 2 * 11, 0);
    let fill = (length * 8 - AROUND) / 8;
    for fill in [fill / 2, fill - fill / 2] {
        bits.put(3, 6);
        bits.put(4, 15);
        bits.put(8, (fill - 14) as u32);
        for _ in 0..fill {
            bits.put(8, 0);
        }
    }
    bits.put(3, 7);
    bits.bytes
}

/// Says in a picture when it was published.
pub fn stamp(picture: &mut [u8], nanos: u64) {
    let digits = &mut picture[STAMP_AT..STAMP_AT + STAMP_DIGITS];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = 0x80 | (nanos >> (7 * at)) as u8;
    }
}

/// When a picture was published, and whether it is a keyframe.
pub fn stamped(picture: &[u8]) -> Option<(u64, bool)> {
    let stamp = picture.get(STAMP_AT..)?.first_chunk::<STAMP>()?;
    let digits = stamp[..STAMP_DIGITS].iter().rev();
    let nanos = digits.fold(0, |sum, digit| sum << 7 | u64::from(digit & 0x7F));
    Some((nanos, stamp[STAMP_DIGITS] == b'K'))
}
