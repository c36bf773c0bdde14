//! A silent AAC-LC frame, bit by bit from ISO/IEC 14496-3, 4.4.2.

use bytes::Bytes;

/// id_syn_ele (table 4.85).
const SCE: u32 = 0;
const CPE: u32 = 1;
const LFE: u32 = 3;
const END: u32 = 7;

/// The raw_data_block of one silent frame for channelConfiguration 1 to 7 (table 1.19); for other
/// values that of stereo.
///
/// With max_sfb = 0 there are no sections, scale factors or spectral data.
pub(crate) fn silent_frame(channel_configuration: u8) -> Bytes {
    let elements: &[u32] = match channel_configuration {
        1 => &[SCE],
        3 => &[SCE, CPE],
        4 => &[SCE, CPE, SCE],
        5 => &[SCE, CPE, CPE],
        6 => &[SCE, CPE, CPE, LFE],
        7 => &[SCE, CPE, CPE, CPE, LFE],
        _ => &[CPE],
    };
    let mut bits = BitWriter::default();
    for (index, &element) in elements.iter().enumerate() {
        let instance = elements
            .iter()
            .take(index)
            .filter(|&&e| e == element)
            .count();
        bits.put(3, element);
        bits.put(4, u32::try_from(instance).unwrap_or(0));
        if element == CPE {
            bits.put(1, 1); // common_window
            ics_info(&mut bits);
            bits.put(2, 0); // ms_mask_present
            bits.put(8, 0); // global_gain
            no_tools(&mut bits);
            bits.put(8, 0);
            no_tools(&mut bits);
        } else {
            bits.put(8, 0);
            ics_info(&mut bits);
            no_tools(&mut bits);
        }
    }
    bits.put(3, END);
    Bytes::from(bits.bytes)
}

/// ics_reserved_bit, window_sequence, window_shape, max_sfb, predictor_data_present: all 0.
fn ics_info(bits: &mut BitWriter) {
    bits.put(1 + 2 + 1 + 6 + 1, 0);
}

/// pulse_data_present, tns_data_present, gain_control_data_present: all 0.
fn no_tools(bits: &mut BitWriter) {
    bits.put(3, 0);
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: usize,
}

impl BitWriter {
    fn put(&mut self, count: usize, value: u32) {
        for shift in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(value >> shift & 1 == 1) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_is_as_the_syntax_says() {
        // 000 0000 00000000 00000000000 000 111
        assert_eq!(silent_frame(1).as_ref(), [0, 0, 0, 0b0000_0111]);
    }

    #[test]
    fn stereo_is_as_the_syntax_says() {
        // 001 0000 1 00000000000 00 00000000 000 00000000 000 111, padded
        let frame = silent_frame(2);
        assert_eq!(frame.as_ref(), [0b0010_0001, 0, 0, 0, 0, 0b0001_1100]);
    }

    #[test]
    fn instances_are_numbered_by_kind() {
        // An SCE of 29 bits, a CPE of 43, and then: 000 0001 0
        assert_eq!(silent_frame(4)[9], 0b0000_0010);
    }
}
