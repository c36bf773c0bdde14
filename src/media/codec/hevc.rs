//! H.265: the hvcC.

use super::super::error::MediaError;

/// What an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1) says that we need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hevc {
    /// ISO/IEC 14496-15, annex E: `hvc1.`, profile, compatibility, tier and level, constraints.
    pub(crate) codec: String,
    /// Bytes of a NAL unit's length: 1, 2 or 4.
    pub(crate) length_size: usize,
}

/// nal_unit_type of the parameter sets (ITU-T H.265, table 7-1): VPS, SPS, PPS.
const PARAMETER_SETS: [u8; 3] = [32, 33, 34];

/// Reads an hvcC.
///
/// # Errors
/// [`MediaError::Hvcc`] when it is cut off, of another version or without parameter sets.
pub(crate) fn parse_hvcc(hvcc: &[u8]) -> Result<Hevc, MediaError> {
    let Some((&head, arrays)) = hvcc.split_first_chunk::<23>() else {
        return Err(MediaError::Hvcc("it has fewer than 23 bytes"));
    };
    let [version, profile, compatibility @ ..] = head;
    if version != 1 {
        return Err(MediaError::Hvcc("its version is not 1"));
    }
    let [c0, c1, c2, c3, constraints @ ..] = compatibility;
    let compatibility = u32::from_be_bytes([c0, c1, c2, c3]);
    let [i0, i1, i2, i3, i4, i5, level, rest @ ..] = constraints;
    let [.., lengths, count] = rest;
    let length_size = usize::from(lengths & 3) + 1;
    if length_size == 3 {
        return Err(MediaError::Hvcc("NAL unit lengths of 3 bytes do not exist"));
    }
    parameter_sets(arrays, count)?;
    Ok(Hevc {
        codec: name(profile, compatibility, level, [i0, i1, i2, i3, i4, i5]),
        length_size,
    })
}

/// Annex E.3: the space as a letter, the profile in decimal, the compatibility flags in hex with
/// their bits reversed, tier and level, and the constraint bytes up to the last that is not 0.
fn name(profile: u8, compatibility: u32, level: u8, constraints: [u8; 6]) -> String {
    let space = ["", "A", "B", "C"];
    let space = space.get(usize::from(profile >> 6)).unwrap_or(&"");
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let mut name = format!(
        "hvc1.{space}{}.{:X}.{tier}{level}",
        profile & 0x1f,
        compatibility.reverse_bits()
    );
    let used = constraints.iter().rposition(|byte| *byte != 0);
    for byte in constraints.iter().take(used.map_or(0, |last| last + 1)) {
        name.push_str(&format!(".{byte:X}"));
    }
    name
}

/// Walks over `count` arrays of NAL units: `hvc1` has all of its parameter sets there.
fn parameter_sets(mut rest: &[u8], count: u8) -> Result<(), MediaError> {
    const CUT: MediaError = MediaError::Hvcc("a parameter set is cut off");
    let mut seen = [false; 3];
    for _ in 0..count {
        let (&[kind, high, low], after) = rest.split_first_chunk::<3>().ok_or(CUT)?;
        rest = after;
        for _ in 0..u16::from_be_bytes([high, low]) {
            let (&length, after) = rest.split_first_chunk::<2>().ok_or(CUT)?;
            let length = usize::from(u16::from_be_bytes(length));
            if length == 0 {
                return Err(MediaError::Hvcc("a parameter set is empty"));
            }
            rest = after.get(length..).ok_or(CUT)?;
            for (set, seen) in PARAMETER_SETS.iter().zip(&mut seen) {
                *seen |= kind & 0x3f == *set;
            }
        }
    }
    if seen == [true; 3] {
        Ok(())
    } else {
        Err(MediaError::Hvcc(
            "it has no VPS, SPS or PPS; send stream-format=hvc1",
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn record(head: [u8; 13]) -> Vec<u8> {
        let mut record = vec![1];
        record.extend_from_slice(&head[1..]);
        record.extend_from_slice(&[0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 3]);
        for kind in PARAMETER_SETS {
            record.extend_from_slice(&[0x80 | kind, 0, 1, 0, 2, kind << 1, 1]);
        }
        record
    }

    #[test]
    fn names_by_annex_e() {
        let main = record([1, 1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93]);
        let hevc = parse_hvcc(&main).unwrap();
        assert_eq!(hevc.codec, "hvc1.1.6.L93.B0");
        assert_eq!(hevc.length_size, 4);
        let ten = record([1, 0x22, 0x20, 0, 0, 0, 0x90, 0, 0x0a, 0, 0, 0, 120]);
        assert_eq!(parse_hvcc(&ten).unwrap().codec, "hvc1.2.4.H120.90.0.A");
        let space = record([1, 0x44, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0, 30]);
        assert_eq!(parse_hvcc(&space).unwrap().codec, "hvc1.A4.10.L30");
    }

    #[test]
    fn refuses_every_cut() {
        let whole = record([1, 1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93]);
        for length in 0..whole.len() {
            assert!(parse_hvcc(&whole[..length]).is_err(), "{length} bytes");
        }
        let mut none = whole[..23].to_vec();
        none[22] = 0;
        assert!(parse_hvcc(&none).is_err(), "no parameter sets");
    }
}
