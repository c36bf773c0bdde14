//! H.264: the avcC, and the length-prefixed NAL units that H.265 has too.

use super::super::error::MediaError;

/// What an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) says that we need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Avc {
    /// RFC 6381, 3.3: `avc1.` and profile, constraints and level in upper-case hex.
    pub(crate) codec: String,
    /// Bytes of a NAL unit's length: 1, 2 or 4.
    pub(crate) length_size: usize,
}

/// Reads an avcC.
///
/// # Errors
/// [`MediaError::Avcc`] when it is cut off, of another version or without parameter sets.
pub(crate) fn parse_avcc(avcc: &[u8]) -> Result<Avc, MediaError> {
    let &[version, profile, constraints, level, lengths, sps_count, ..] = avcc else {
        return Err(MediaError::Avcc("it has fewer than 7 bytes"));
    };
    if version != 1 {
        return Err(MediaError::Avcc("its version is not 1"));
    }
    let length_size = usize::from(lengths & 3) + 1;
    if length_size == 3 {
        return Err(MediaError::Avcc("NAL unit lengths of 3 bytes do not exist"));
    }
    let rest = parameter_sets(avcc.get(6..).unwrap_or_default(), sps_count & 0x1f)?;
    let (&pps_count, rest) = rest
        .split_first()
        .ok_or(MediaError::Avcc("it ends before the PPS count"))?;
    parameter_sets(rest, pps_count)?;
    Ok(Avc {
        codec: format!("avc1.{profile:02X}{constraints:02X}{level:02X}"),
        length_size,
    })
}

/// Walks over `count` parameter sets with 2-byte lengths and returns what follows them.
fn parameter_sets(mut rest: &[u8], count: u8) -> Result<&[u8], MediaError> {
    if count == 0 {
        return Err(MediaError::Avcc(
            "it has no SPS or no PPS; send stream-format=avc",
        ));
    }
    for _ in 0..count {
        let (length, after) = rest
            .split_first_chunk::<2>()
            .ok_or(MediaError::Avcc("a parameter set is cut off"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 {
            return Err(MediaError::Avcc("a parameter set is empty"));
        }
        rest = after
            .get(length..)
            .ok_or(MediaError::Avcc("a parameter set is cut off"))?;
    }
    Ok(rest)
}

/// Whether `data` is a whole number of length-prefixed NAL units (ISO/IEC 14496-15, 5.3.2).
pub(crate) fn nal_units_fit(data: &[u8], length_size: usize) -> bool {
    let mut rest = data;
    while !rest.is_empty() {
        let Some((prefix, after)) = rest.split_at_checked(length_size) else {
            return false;
        };
        let length = prefix
            .iter()
            .fold(0_usize, |length, &byte| (length << 8) | usize::from(byte));
        match after.get(length..) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    true
}
