//! The caps that the pads take, made into the muxer's configurations.

use bytes::Bytes;
use gstreamer as gst;

use super::track::Kind;
use crate::media::fragment::{AudioConfig, VideoCodec, VideoConfig};

/// Why caps are refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum CapsError {
    #[error(
        "the video pad takes H.264 (avc) and H.265 (hvc1) in access units and AV1 (obu-stream) in temporal units, not {0}; put {1} before this element"
    )]
    NotVideo(gst::Caps, &'static str),
    #[error("the video caps have no codec_data; put {0} before this element")]
    NoDecoderRecord(&'static str),
    #[error("the video caps have no picture size up to 65535x65535; put {0} before this element")]
    NoSize(&'static str),
    #[error(
        "the audio pad takes raw AAC frames and Opus of channel mapping family 0 or 1, not {0}; put {1} before this element"
    )]
    NotAudio(gst::Caps, &'static str),
    #[error("the audio caps have no codec_data; put aacparse before this element")]
    NoAudioSpecificConfig,
    #[error(
        "the audio caps have no Opus header in streamheader; put opusparse before this element"
    )]
    NoOpusHead,
}

/// What a pad's template says.
pub(super) fn template(kind: Kind) -> gst::Caps {
    let video = |name: &str, format: &str, alignment: &str| {
        gst::Structure::builder(name)
            .field("stream-format", format)
            .field("alignment", alignment)
            .build()
    };
    let structures = match kind {
        Kind::Video => vec![
            video("video/x-h264", "avc", "au"),
            video("video/x-h265", "hvc1", "au"),
            video("video/x-av1", "obu-stream", "tu"),
        ],
        Kind::Audio => vec![
            gst::Structure::builder("audio/mpeg")
                .field("mpegversion", 4i32)
                .field("stream-format", "raw")
                .field("framed", true)
                .build(),
            gst::Structure::builder("audio/x-opus")
                .field("channel-mapping-family", gst::IntRange::new(0i32, 1))
                .field("channels", gst::IntRange::new(1i32, 8))
                .build(),
        ],
    };
    structures.into_iter().collect()
}

/// Reads a video pad's caps.
pub(super) fn video_config(caps: &gst::Caps) -> Result<VideoConfig, CapsError> {
    let parser = video_parser(caps);
    let refused = || CapsError::NotVideo(described(caps), parser);
    let structure = caps.structure(0).ok_or_else(refused)?;
    let is = |field, wanted| structure.get::<&str>(field) == Ok(wanted);
    // An encoder may leave out what its codec has only one of.
    let may_be = |field, wanted| !structure.has_field(field) || is(field, wanted);
    let record = || codec_data(structure).ok_or(CapsError::NoDecoderRecord(parser));
    let codec = match structure.name().as_str() {
        "video/x-h264" if is("stream-format", "avc") && may_be("alignment", "au") => {
            VideoCodec::H264(record()?)
        }
        "video/x-h265" if is("stream-format", "hvc1") && may_be("alignment", "au") => {
            VideoCodec::H265(record()?)
        }
        "video/x-av1" if may_be("stream-format", "obu-stream") && may_be("alignment", "tu") => {
            VideoCodec::Av1(codec_data(structure))
        }
        _ => return Err(refused()),
    };
    let size = |name| {
        let pixels = structure.get::<i32>(name).ok()?;
        u16::try_from(pixels).ok().filter(|pixels| *pixels > 0)
    };
    let (Some(width), Some(height)) = (size("width"), size("height")) else {
        return Err(CapsError::NoSize(parser));
    };
    let frame_rate = structure.get::<gst::Fraction>("framerate").ok();
    let frame_rate = frame_rate.and_then(|rate| {
        let numerator = u32::try_from(rate.numer()).ok().filter(|n| *n > 0)?;
        Some((numerator, u32::try_from(rate.denom()).ok()?))
    });
    Ok(VideoConfig {
        codec,
        width,
        height,
        frame_rate,
    })
}

/// Reads an audio pad's caps.
pub(super) fn audio_config(caps: &gst::Caps) -> Result<AudioConfig, CapsError> {
    let refused = || CapsError::NotAudio(described(caps), audio_parser(caps));
    let structure = caps.structure(0).ok_or_else(refused)?;
    let raw = || {
        let format = structure.get::<&str>("stream-format");
        structure.get::<i32>("mpegversion") == Ok(4)
            && format.map_or(true, |format| format == "raw")
    };
    match structure.name().as_str() {
        "audio/mpeg" if raw() => codec_data(structure)
            .map(AudioConfig::Aac)
            .ok_or(CapsError::NoAudioSpecificConfig),
        "audio/x-opus" => stream_header(structure)
            .or_else(|| codec_data(structure))
            .map(AudioConfig::Opus)
            .ok_or(CapsError::NoOpusHead),
        _ => Err(refused()),
    }
}

fn video_parser(caps: &gst::Caps) -> &'static str {
    match caps.structure(0).map(|structure| structure.name().as_str()) {
        Some("video/x-h264") => "h264parse",
        Some("video/x-h265") => "h265parse",
        Some("video/x-av1") => "av1parse",
        _ => "h264parse, h265parse or av1parse",
    }
}

fn audio_parser(caps: &gst::Caps) -> &'static str {
    match caps.structure(0).map(|structure| structure.name().as_str()) {
        Some("audio/mpeg") => "aacparse",
        Some("audio/x-opus") => "opusparse",
        _ => "aacparse or opusparse",
    }
}

fn codec_data(structure: &gst::StructureRef) -> Option<Bytes> {
    bytes(&structure.get::<gst::Buffer>("codec_data").ok()?)
}

/// The first buffer of `streamheader`.
fn stream_header(structure: &gst::StructureRef) -> Option<Bytes> {
    let headers = structure.get::<gst::Array>("streamheader").ok()?;
    bytes(&headers.first()?.get::<gst::Buffer>().ok()?)
}

fn bytes(buffer: &gst::Buffer) -> Option<Bytes> {
    let map = buffer.map_readable().ok()?;
    (!map.is_empty()).then(|| Bytes::copy_from_slice(&map))
}

/// The caps without buffers, for a sentence.
fn described(caps: &gst::Caps) -> gst::Caps {
    let mut caps = caps.clone();
    for structure in caps.make_mut().iter_mut() {
        structure.remove_fields(["codec_data", "streamheader"]);
    }
    caps
}
