//! Why input was refused.

use thiserror::Error;

/// Input that the muxer refuses. The muxer stays usable: what was refused is lost, nothing else.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaError {
    /// The AVCDecoderConfigurationRecord cannot be read.
    #[error("the H.264 decoder configuration (avcC) is not valid: {0}")]
    Avcc(&'static str),
    /// The HEVCDecoderConfigurationRecord cannot be read.
    #[error("the H.265 decoder configuration (hvcC) is not valid: {0}")]
    Hvcc(&'static str),
    /// The sequence header, or the record around it, cannot be read.
    #[error("the AV1 sequence header is not valid: {0}; put av1parse before the sink")]
    SequenceHeader(&'static str),
    /// The OpusHead cannot be read, or asks for something we do not send.
    #[error("the Opus header (OpusHead) is not usable: {0}")]
    OpusHead(&'static str),
    /// The AudioSpecificConfig cannot be read.
    #[error("the AAC configuration (AudioSpecificConfig) is not valid: {0}")]
    Asc(&'static str),
    /// The AudioSpecificConfig is valid, and asks for something we do not send.
    #[error("this AAC stream cannot be sent: {0}; encode it as AAC-LC with 1 to 8 channels")]
    UnsupportedAudio(&'static str),
    /// Width or height is 0.
    #[error(
        "the video caps name no picture size; put the parser of the codec before the sink, as h264parse"
    )]
    NoPictureSize,
    /// Media came before its configuration.
    #[error("{0} came before its caps; set the configuration first")]
    NoConfig(&'static str),
    /// An access unit without a byte.
    #[error("an access unit is empty; it was dropped")]
    Empty,
    /// An access unit of more than [`MAX_ACCESS_UNIT`] bytes.
    #[error("an access unit has {0} bytes, more than the 16 MiB that are allowed; it was dropped")]
    TooLarge(usize),
    /// A time beyond [`MAX_TIME`].
    #[error("an access unit's time is not usable ({0} ns); it was dropped")]
    Time(u64),
    /// A picture whose times of decoding and of presentation are further apart than [`MAX_REORDER`].
    #[error(
        "an access unit's decode and presentation times are {0} ns apart, more than the 5 s that are allowed; it was dropped"
    )]
    Reorder(u64),
    /// The lengths of the NAL units do not add up (ISO/IEC 14496-15, 5.3.2).
    #[error(
        "an access unit's NAL unit lengths do not fit its size; send stream-format=avc or hvc1"
    )]
    NalUnits,
    /// The sizes of the OBUs do not add up (AV1 specification, 5.3).
    #[error("a temporal unit's OBU sizes do not fit its own; send stream-format=obu-stream")]
    Obus,
    /// The packet's first bytes say no duration up to 120 ms (RFC 6716, 3.2.5).
    #[error("an Opus packet says no possible duration; it was dropped")]
    OpusPacket,
    /// A box could not be written.
    #[error("the init segment could not be written: {0}")]
    Box(String),
}

impl MediaError {
    /// A stable name for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Avcc(_) => "media_avcc_invalid",
            Self::Hvcc(_) => "media_hvcc_invalid",
            Self::SequenceHeader(_) => "media_av1_sequence_header_invalid",
            Self::OpusHead(_) => "media_opus_head_invalid",
            Self::Asc(_) => "media_asc_invalid",
            Self::UnsupportedAudio(_) => "media_audio_unsupported",
            Self::NoPictureSize => "media_no_picture_size",
            Self::NoConfig(_) => "media_no_config",
            Self::Empty => "media_access_unit_empty",
            Self::TooLarge(_) => "media_access_unit_too_large",
            Self::Time(_) => "media_time_unusable",
            Self::Reorder(_) => "media_reorder_unusable",
            Self::NalUnits => "media_nal_units_invalid",
            Self::Obus => "media_obus_invalid",
            Self::OpusPacket => "media_opus_packet_invalid",
            Self::Box(_) => "media_box_failed",
        }
    }
}

/// The largest access unit, in bytes.
pub const MAX_ACCESS_UNIT: usize = 16 << 20;

/// The latest usable time: 100 years, in nanoseconds. Sums of a few times stay within `i64`.
pub const MAX_TIME: u64 = 100 * 366 * 86_400 * 1_000_000_000;

/// How far a picture's times of decoding and of presentation may be apart, in nanoseconds. H.264
/// reorders at most 16 pictures (A.3.1, max_dec_frame_buffering); what is further apart is a source's
/// mistake: no timeline can begin with it, and the audio between the two would be made of silence.
pub const MAX_REORDER: u64 = 5_000_000_000;
