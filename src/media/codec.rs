//! Decoder configurations: avcC and AudioSpecificConfig to RFC 6381 names, rates and channels.

use super::error::MediaError;
use super::fragment::Span;

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

/// What an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) says that we need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aac {
    /// RFC 6381, 3.3: `mp4a.40.` and the audio object type.
    pub(crate) codec: String,
    /// Hertz of the core coder: the track's timescale.
    pub(crate) core_rate: u32,
    /// Hertz of the sound, twice the core's for HE-AAC.
    pub(crate) sample_rate: u32,
    /// channelConfiguration, 1 to 7.
    pub(crate) channel_configuration: u8,
    /// Channels of the sound.
    pub(crate) channels: u8,
    /// Core samples of a frame: 1024 or 960.
    pub(crate) frame_samples: u32,
}

impl Aac {
    /// The decode times of some frames.
    pub(crate) fn span(&self, tfdt: u64, frames: usize) -> Span {
        let rate = u128::from(self.core_rate.max(1));
        let scale = |samples: u128| {
            u64::try_from(samples * u128::from(Span::TIMESCALE) / rate).unwrap_or(u64::MAX)
        };
        let start = scale(tfdt.into());
        let samples = frames as u128 * u128::from(self.frame_samples);
        Span {
            start,
            duration: scale(u128::from(tfdt) + samples) - start,
        }
    }
}

const AAC_LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

/// Reads an AudioSpecificConfig of AAC-LC or explicitly signalled HE-AAC (v1, v2).
///
/// # Errors
/// [`MediaError::Asc`] when it is cut off or uses reserved values,
/// [`MediaError::UnsupportedAudio`] for other object types and a program config element.
pub(crate) fn parse_asc(asc: &[u8]) -> Result<Aac, MediaError> {
    let mut bits = BitReader { data: asc, at: 0 };
    let mut object_type = bits.object_type()?;
    let core_rate = bits.sample_rate()?;
    let mut sample_rate = core_rate;
    let configuration = bits.take(4)?;
    let mut extension = None;
    if object_type == SBR || object_type == PS {
        extension = Some(object_type);
        sample_rate = bits.sample_rate()?;
        object_type = bits.object_type()?;
    }
    if object_type != AAC_LC {
        return Err(MediaError::UnsupportedAudio(
            "its audio object type is not AAC-LC",
        ));
    }
    let frame_samples = if bits.take(1)? == 1 { 960 } else { 1024 };
    if bits.take(1)? == 1 {
        bits.take(14)?;
    }
    bits.take(1)?;
    if extension.is_none() && bits.take(11) == Ok(0x2b7) && bits.object_type() == Ok(SBR) {
        // The backward compatible signalling of SBR, after the core's configuration.
        if bits.take(1)? == 1 {
            extension = Some(SBR);
            sample_rate = bits.sample_rate()?;
            if bits.take(11) == Ok(0x548) && bits.take(1) == Ok(1) {
                extension = Some(PS);
            }
        }
    }
    let channels = match configuration {
        0 => {
            return Err(MediaError::UnsupportedAudio(
                "its channels are listed in a program config element",
            ));
        }
        1 if extension == Some(PS) => 2,
        1..=6 => configuration,
        7 => 8,
        _ => return Err(MediaError::Asc("its channel configuration is reserved")),
    };
    Ok(Aac {
        codec: format!("mp4a.40.{}", extension.unwrap_or(object_type)),
        core_rate,
        sample_rate,
        channel_configuration: narrow(configuration),
        channels: narrow(channels),
        frame_samples,
    })
}

/// `value` is at most 8 by construction.
fn narrow(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// ISO/IEC 14496-3, table 1.18.
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    fn take(&mut self, count: usize) -> Result<u32, MediaError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self
                .data
                .get(self.at / 8)
                .ok_or(MediaError::Asc("it is cut off"))?;
            value = (value << 1) | u32::from((byte >> (7 - self.at % 8)) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    fn object_type(&mut self) -> Result<u32, MediaError> {
        match self.take(5)? {
            31 => Ok(32 + self.take(6)?),
            object_type => Ok(object_type),
        }
    }

    fn sample_rate(&mut self) -> Result<u32, MediaError> {
        let rate = match self.take(4)? {
            15 => self.take(24)?,
            index => *usize::try_from(index)
                .ok()
                .and_then(|index| SAMPLE_RATES.get(index))
                .ok_or(MediaError::Asc("its sample rate index is reserved"))?,
        };
        // Below and above there is no AAC; and the timeline's arithmetic counts on it.
        if (1_000..=192_000).contains(&rate) {
            Ok(rate)
        } else {
            Err(MediaError::Asc("its sample rate is out of range"))
        }
    }
}

#[cfg(test)]
#[path = "codec/tests.rs"]
mod tests;
