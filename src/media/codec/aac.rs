//! AAC: the AudioSpecificConfig.

use super::super::error::MediaError;
use super::bits::Bits;

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

const AAC_LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;

/// Reads an AudioSpecificConfig of AAC-LC or explicitly signalled HE-AAC (v1, v2).
///
/// # Errors
/// [`MediaError::Asc`] when it is cut off or uses reserved values,
/// [`MediaError::UnsupportedAudio`] for other object types and a program config element.
pub(crate) fn parse_asc(asc: &[u8]) -> Result<Aac, MediaError> {
    let mut bits = Reader(Bits::new(asc));
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

struct Reader<'a>(Bits<'a>);

impl Reader<'_> {
    fn take(&mut self, count: u32) -> Result<u32, MediaError> {
        self.0.take(count).ok_or(MediaError::Asc("it is cut off"))
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
