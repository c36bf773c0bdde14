//! The nouns of the media flow: what goes into the muxer and what comes out of it.

use bytes::Bytes;

/// Nanoseconds of running time; the muxer's input clock.
pub type Nanos = u64;

/// What a video pad's caps say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoConfig {
    /// The codec and its decoder's configuration.
    pub codec: VideoCodec,
    /// Coded width in pixels.
    pub width: u16,
    /// Coded height in pixels.
    pub height: u16,
    /// Frames per second as numerator and denominator, where the caps name one that is not 0.
    pub frame_rate: Option<(u32, u32)>,
}

/// A video codec with its decoder's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1), for NAL units with their lengths.
    H264(Bytes),
    /// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1), for NAL units with their lengths.
    H265(Bytes),
    /// AV1CodecConfigurationRecord (AV1 Codec ISO Media File Format Binding, 2.3), where there is
    /// one: the sequence header of a keyframe says the same. For temporal units of sized OBUs.
    Av1(Option<Bytes>),
}

/// What an audio pad's caps say: the codec and its decoder's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioConfig {
    /// AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1), for raw frames.
    Aac(Bytes),
    /// OpusHead (RFC 7845, 5.1), for packets. Times are those of what is heard: the pre-skip of the
    /// head is not in them.
    Opus(Bytes),
}

/// One access unit: a picture's NAL units, an AV1 temporal unit, a raw AAC frame or an Opus packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// Decode time in running time.
    pub dts: Nanos,
    /// Presentation time in running time.
    pub pts: Nanos,
    /// Whether decoding can start here. Always true for audio.
    pub keyframe: bool,
    /// The coded bytes.
    pub data: Bytes,
}

/// What a player is told of a stream before its init segment.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// For `MediaSource.addSourceBuffer`, e.g. `video/mp4; codecs="avc1.42C01E, mp4a.40.2"` (RFC 6381).
    pub mime_type: String,
    /// Absent for audio only.
    pub video: Option<VideoInfo>,
    /// Absent for video only.
    pub audio: Option<AudioInfo>,
}

/// The picture, as `onStreamInfo` tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoInfo {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames per second; 0 where it is not known.
    pub frame_rate: f64,
}

/// The sound, as `onStreamInfo` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioInfo {
    /// Hertz.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u8,
}

/// An init segment (`ftyp` + `moov`) and what it describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Init {
    /// `ftyp` + `moov`.
    pub bytes: Bytes,
    /// The same, for `onStreamInfo`.
    pub info: StreamInfo,
    /// Whether the timeline and the set of tracks go on from the init segment before this one, so
    /// that a player can append it to the same SourceBuffer (`onStreamInfoUpdate`).
    pub continues: bool,
}

/// One `moof` + `mdat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// `moof` + `mdat`; nothing stands before the `moof`.
    pub bytes: Bytes,
    /// Whether a player can start here.
    pub random_access: bool,
    /// Presentation time of its first sample on the fMP4 timeline, in milliseconds.
    pub time_ms: u64,
    /// Its decode times: the picture's, or where there is none the sound's.
    pub span: Span,
}

/// Decode times on the fMP4 timeline, in ticks of 90 kHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// When it begins.
    pub start: u64,
    /// How long it lasts.
    pub duration: u64,
}

impl Span {
    /// Ticks a second.
    pub const TIMESCALE: u64 = 90_000;

    /// When it ends.
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.duration)
    }
}

/// What the muxer puts out, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A new init segment; the next fragment is a random access point.
    Init(Init),
    /// The next fragment.
    Fragment(Fragment),
}
