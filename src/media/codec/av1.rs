//! AV1: OBUs and the sequence header.

use bytes::{BufMut, Bytes};
use mp4_atom::Av1c;

use super::super::error::MediaError;
use super::bits::Bits;

/// What a sequence header OBU (AV1 Bitstream & Decoding Process, 5.5) says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// AV1 Codec ISO Media File Format Binding, 5.
    pub(crate) codec: String,
    pub(crate) av1c: Av1c,
}

/// obu_type (6.2.2).
const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;

/// One OBU of a temporal unit.
struct Obu<'a> {
    kind: u8,
    payload: &'a [u8],
    /// Bytes with its header.
    size: usize,
}

/// The first OBU (5.3.1); `None` where it is cut off or no OBU. The last may do without its size.
fn first_obu(data: &[u8]) -> Option<Obu<'_>> {
    let &head = data.first()?;
    if head & 0x81 != 0 {
        return None;
    }
    let mut start = if head & 4 == 0 { 1 } else { 2 };
    let mut size = data.len().checked_sub(start)?;
    if head & 2 != 0 {
        size = 0;
        // leb128 (4.10.5) of at most 32 bits.
        for shift in (0..35).step_by(7) {
            let &byte = data.get(start)?;
            start += 1;
            size |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            if shift == 28 {
                return None;
            }
        }
    }
    let end = start.checked_add(size)?;
    Some(Obu {
        kind: head >> 3 & 0xf,
        payload: data.get(start..end)?,
        size: end,
    })
}

/// A temporal unit as a sample has it.
pub(crate) struct Sample {
    /// Without its temporal delimiter, as the binding (2.4) asks for.
    pub(crate) data: Bytes,
    /// What its sequence header says, where it has one.
    pub(crate) sequence: Option<Sequence>,
}

/// Reads a temporal unit. Only a keyframe's sequence header is looked at.
///
/// # Errors
/// [`MediaError::Obus`] when it is not whole OBUs, or [`MediaError::SequenceHeader`].
pub(crate) fn read_sample(unit: &Bytes, keyframe: bool) -> Result<Sample, MediaError> {
    let mut delimiters = 0;
    let mut sequence = None;
    let mut at = 0;
    while let Some(rest) = unit.get(at..).filter(|rest| !rest.is_empty()) {
        let obu = first_obu(rest).ok_or(MediaError::Obus)?;
        at += obu.size;
        match obu.kind {
            TEMPORAL_DELIMITER if delimiters + obu.size == at => delimiters = at,
            SEQUENCE_HEADER if keyframe => sequence = Some(parse_sequence(obu.payload)?),
            _ => {}
        }
    }
    if delimiters == unit.len() {
        return Err(MediaError::Empty);
    }
    Ok(Sample {
        data: unit.slice(delimiters..),
        sequence,
    })
}

/// The sequence header that an av1C has in its configOBUs; `None` where it has none.
///
/// # Errors
/// [`MediaError::SequenceHeader`] when the record is of another version or broken.
pub(crate) fn parse_av1c(av1c: &[u8]) -> Result<Option<Sequence>, MediaError> {
    let Some((&[0x81, ..], mut rest)) = av1c.split_first_chunk::<4>() else {
        return Err(MediaError::SequenceHeader("codec_data is no av1C"));
    };
    while !rest.is_empty() {
        let obu = first_obu(rest).ok_or(MediaError::SequenceHeader("an OBU is cut off"))?;
        if obu.kind == SEQUENCE_HEADER {
            return parse_sequence(obu.payload).map(Some);
        }
        rest = rest.get(obu.size..).unwrap_or_default();
    }
    Ok(None)
}

fn parse_sequence(payload: &[u8]) -> Result<Sequence, MediaError> {
    let (mut av1c, colour) = sequence_header(&mut Bits::new(payload))
        .ok_or(MediaError::SequenceHeader("it is cut off"))?;
    if av1c.seq_profile > 2 {
        return Err(MediaError::SequenceHeader("its profile is reserved"));
    }
    let mut config = vec![SEQUENCE_HEADER << 3 | 2];
    let mut size = payload.len();
    while size > 0x7f {
        config.push(size as u8 | 0x80);
        size >>= 7;
    }
    config.push(size as u8);
    config.put_slice(payload);
    av1c.config_obus = config;
    Ok(Sequence {
        codec: name(&av1c, colour),
        av1c,
    })
}

/// color_primaries, transfer_characteristics, matrix_coefficients, color_range.
type Colour = (u32, u32, u32, bool);

/// colour values that a sequence header does not say (6.4.2).
const UNSPECIFIED: u32 = 2;

/// The binding's section 5: the rest is left out where it says nothing but the defaults.
fn name(av1c: &Av1c, (primaries, transfer, matrix, full_range): Colour) -> String {
    let depth = match (av1c.high_bitdepth, av1c.twelve_bit) {
        (true, true) => 12,
        (true, false) => 10,
        _ => 8,
    };
    let tier = if av1c.seq_tier_0 { 'H' } else { 'M' };
    let (profile, level) = (av1c.seq_profile, av1c.seq_level_idx_0);
    let name = format!("av01.{profile}.{level:02}{tier}.{depth:02}");
    let subsampling = [av1c.chroma_subsampling_x, av1c.chroma_subsampling_y];
    let position = match subsampling {
        [true, true] => av1c.chroma_sample_position,
        _ => 0,
    };
    let chroma = format!(
        "{}{}{position}",
        u8::from(subsampling[0]),
        u8::from(subsampling[1])
    );
    let colour = [primaries, transfer, matrix];
    let said = colour != [UNSPECIFIED; 3] && colour != [1; 3];
    let usual = subsampling == [true, true] && position == 0;
    if usual && !said && !av1c.monochrome && !full_range {
        return name;
    }
    format!(
        "{name}.{}.{chroma}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
        u8::from(av1c.monochrome),
        u8::from(full_range)
    )
}

/// sequence_header_obu (5.5.1); `None` where it is cut off. Names are those of the specification.
fn sequence_header(bits: &mut Bits<'_>) -> Option<(Av1c, Colour)> {
    let seq_profile = bits.take(3)?;
    bits.flag()?; // still_picture
    let reduced = bits.flag()?;
    let mut level = 0;
    let mut tier = false;
    if reduced {
        level = bits.take(5)?;
    } else {
        let mut buffer_delay_length = None;
        if bits.flag()? {
            timing_info(bits)?;
            if bits.flag()? {
                buffer_delay_length = Some(bits.take(5)? + 1);
                bits.take(32)?;
                bits.take(10)?;
            }
        }
        let initial_display_delay_present = bits.flag()?;
        for index in 0..=bits.take(5)? {
            bits.take(12)?; // operating_point_idc
            let seq_level_idx = bits.take(5)?;
            let seq_tier = seq_level_idx > 7 && bits.flag()?;
            if index == 0 {
                (level, tier) = (seq_level_idx, seq_tier);
            }
            if let Some(length) = buffer_delay_length
                && bits.flag()?
            {
                bits.take(length)?;
                bits.take(length)?;
                bits.flag()?;
            }
            if initial_display_delay_present && bits.flag()? {
                bits.take(4)?;
            }
        }
    }
    let (width_bits, height_bits) = (bits.take(4)? + 1, bits.take(4)? + 1);
    bits.take(width_bits)?;
    bits.take(height_bits)?;
    if !reduced && bits.flag()? {
        bits.take(7)?; // lengths of frame ids
    }
    bits.take(3)?; // 128x128 superblocks, filter intra, intra edge filter
    if !reduced {
        tools(bits)?;
    }
    bits.take(3)?; // superres, cdef, restoration
    let (mut av1c, colour) = color_config(bits, seq_profile)?;
    av1c.seq_profile = u8::try_from(seq_profile).ok()?;
    av1c.seq_level_idx_0 = u8::try_from(level).ok()?;
    av1c.seq_tier_0 = tier;
    Some((av1c, colour))
}

fn timing_info(bits: &mut Bits<'_>) -> Option<()> {
    bits.take(32)?;
    bits.take(32)?;
    if bits.flag()? {
        // uvlc (4.10.3)
        let mut zeros = 0;
        while !bits.flag()? {
            zeros += 1;
        }
        if zeros < 32 {
            bits.take(zeros)?;
        }
    }
    Some(())
}

fn tools(bits: &mut Bits<'_>) -> Option<()> {
    bits.take(4)?; // interintra and masked compound, warped motion, dual filter
    let enable_order_hint = bits.flag()?;
    if enable_order_hint {
        bits.take(2)?;
    }
    let force_screen_content_tools = bits.flag()? || bits.flag()?;
    if force_screen_content_tools && !bits.flag()? {
        bits.flag()?;
    }
    if enable_order_hint {
        bits.take(3)?;
    }
    Some(())
}

/// color_config (5.5.2).
fn color_config(bits: &mut Bits<'_>, seq_profile: u32) -> Option<(Av1c, Colour)> {
    const SRGB: (u32, u32, u32) = (1, 13, 0);
    let high_bitdepth = bits.flag()?;
    let twelve_bit = seq_profile == 2 && high_bitdepth && bits.flag()?;
    let monochrome = seq_profile != 1 && bits.flag()?;
    let (primaries, transfer, matrix) = if bits.flag()? {
        (bits.take(8)?, bits.take(8)?, bits.take(8)?)
    } else {
        (UNSPECIFIED, UNSPECIFIED, UNSPECIFIED)
    };
    let mut full_range = true;
    let mut subsampling = (false, false);
    let mut position = 0;
    if monochrome {
        full_range = bits.flag()?;
        subsampling = (true, true);
    } else if (primaries, transfer, matrix) != SRGB {
        full_range = bits.flag()?;
        subsampling = match seq_profile {
            0 => (true, true),
            1 => (false, false),
            _ if twelve_bit => {
                let x = bits.flag()?;
                (x, x && bits.flag()?)
            }
            _ => (true, false),
        };
        if subsampling == (true, true) {
            position = bits.take(2)?;
        }
    }
    let av1c = Av1c {
        high_bitdepth,
        twelve_bit,
        monochrome,
        chroma_subsampling_x: subsampling.0,
        chroma_subsampling_y: subsampling.1,
        chroma_sample_position: u8::try_from(position).ok()?,
        ..Av1c::default()
    };
    Some((av1c, (primaries, transfer, matrix, full_range)))
}
