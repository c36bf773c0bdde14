//! A track's configuration and what it says.

use bytes::Bytes;

use super::codec::aac::{Aac, parse_asc};
use super::codec::av1::{self, Sequence};
use super::codec::avc::{Avc, nal_units_fit, parse_avcc};
use super::codec::hevc::{Hevc, parse_hvcc};
use super::codec::opus::{self, Opus};
use super::error::MediaError;
use super::fragment::{AudioConfig, Span, VideoCodec, VideoConfig};
use super::silence::silent_frame;

/// A video configuration and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VideoSetup {
    pub(crate) config: VideoConfig,
    pub(crate) coding: Coding,
}

/// The video's codec: the record as it was given, and what was read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Avc(Bytes, Avc),
    Hevc(Bytes, Hevc),
    Av1(Sequence),
}

impl VideoSetup {
    /// Reads a configuration. `None` where only a keyframe will tell: AV1 without a sequence header.
    ///
    /// # Errors
    /// The record's, or [`MediaError::NoPictureSize`].
    pub(crate) fn read(config: &VideoConfig) -> Result<Option<Self>, MediaError> {
        let coding = match &config.codec {
            VideoCodec::H264(avcc) => Some(Coding::Avc(avcc.clone(), parse_avcc(avcc)?)),
            VideoCodec::H265(hvcc) => Some(Coding::Hevc(hvcc.clone(), parse_hvcc(hvcc)?)),
            VideoCodec::Av1(Some(av1c)) => av1::parse_av1c(av1c)?.map(Coding::Av1),
            VideoCodec::Av1(None) => None,
        };
        if config.width == 0 || config.height == 0 {
            return Err(MediaError::NoPictureSize);
        }
        Ok(coding.map(|coding| Self {
            config: config.clone(),
            coding,
        }))
    }

    /// RFC 6381's name.
    pub(crate) fn codec(&self) -> &str {
        match &self.coding {
            Coding::Avc(_, avc) => &avc.codec,
            Coding::Hevc(_, hevc) => &hevc.codec,
            Coding::Av1(sequence) => &sequence.codec,
        }
    }

    /// Whether both have the same init segment; a frame rate is not in it.
    pub(crate) fn same_init(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.config, &other.config);
        (&self.coding, ours.width, ours.height) == (&other.coding, theirs.width, theirs.height)
    }

    /// Whether both are of one codec. Players can't be asked to change it within a timeline.
    pub(crate) fn same_codec(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.coding) == std::mem::discriminant(&other.coding)
    }

    /// Whether an access unit is whole, as far as its lengths tell.
    pub(crate) fn check(&self, data: &[u8]) -> Result<(), MediaError> {
        let length_size = match &self.coding {
            Coding::Avc(_, avc) => avc.length_size,
            Coding::Hevc(_, hevc) => hevc.length_size,
            Coding::Av1(_) => return Ok(()),
        };
        if nal_units_fit(data, length_size) {
            Ok(())
        } else {
            Err(MediaError::NalUnits)
        }
    }
}

/// An audio configuration and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AudioSetup {
    Aac { asc: Bytes, aac: Aac },
    Opus(Opus),
}

impl AudioSetup {
    /// Reads a configuration.
    ///
    /// # Errors
    /// That of an AudioSpecificConfig or of an OpusHead.
    pub(crate) fn read(config: AudioConfig) -> Result<Self, MediaError> {
        Ok(match config {
            AudioConfig::Aac(asc) => Self::Aac {
                aac: parse_asc(&asc)?,
                asc,
            },
            AudioConfig::Opus(head) => Self::Opus(opus::parse_head(&head)?),
        })
    }

    /// RFC 6381's name.
    pub(crate) fn codec(&self) -> &str {
        match self {
            Self::Aac { aac, .. } => &aac.codec,
            Self::Opus(_) => "opus",
        }
    }

    /// Whether both are of one codec.
    pub(crate) fn same_codec(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Hertz of the track's times.
    pub(crate) fn timescale(&self) -> u32 {
        match self {
            Self::Aac { aac, .. } => aac.core_rate,
            Self::Opus(_) => opus::RATE,
        }
    }

    /// Hertz of the sound.
    pub(crate) fn sample_rate(&self) -> u32 {
        match self {
            Self::Aac { aac, .. } => aac.sample_rate,
            Self::Opus(_) => opus::RATE,
        }
    }

    /// Channels of the sound.
    pub(crate) fn channels(&self) -> u8 {
        match self {
            Self::Aac { aac, .. } => aac.channels,
            Self::Opus(opus) => opus.channels,
        }
    }

    /// Samples that decoding is ahead of presentation: the edit list takes them off again.
    pub(crate) fn pre_skip(&self) -> u64 {
        match self {
            Self::Aac { .. } => 0,
            Self::Opus(opus) => opus.pre_skip.into(),
        }
    }

    /// Samples of a usual frame, and of a silent one.
    pub(crate) fn frame_samples(&self) -> u32 {
        match self {
            Self::Aac { aac, .. } => aac.frame_samples,
            Self::Opus(_) => opus::SILENT_SAMPLES,
        }
    }

    /// Samples of that frame.
    ///
    /// # Errors
    /// [`MediaError::OpusPacket`] when it does not say how long it is.
    pub(crate) fn samples_of(&self, frame: &[u8]) -> Result<u32, MediaError> {
        match self {
            Self::Aac { aac, .. } => Ok(aac.frame_samples),
            Self::Opus(_) => opus::packet_samples(frame),
        }
    }

    /// A frame of silence.
    pub(crate) fn silent(&self) -> Bytes {
        match self {
            Self::Aac { aac, .. } => silent_frame(aac.channel_configuration),
            Self::Opus(opus) => opus::silent_packet(opus),
        }
    }

    /// The decode times of frames that last `samples`.
    pub(crate) fn span(&self, tfdt: u64, samples: u64) -> Span {
        let rate = u128::from(self.timescale().max(1));
        let scale = |samples: u128| {
            u64::try_from(samples * u128::from(Span::TIMESCALE) / rate).unwrap_or(u64::MAX)
        };
        let start = scale(tfdt.into());
        Span {
            start,
            duration: scale(u128::from(tfdt) + u128::from(samples)) - start,
        }
    }
}
