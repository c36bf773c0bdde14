//! A stream's pipeline, as far as it is ours: a source for each track, and what makes RTP of it.

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app::AppSrc;

use super::parameter_sets::ParameterSets;
use crate::media::fragment::{AudioConfig, AudioInfo, VideoCodec, VideoConfig};
use crate::media::samples::{Format, Track};

/// RTP's first dynamic payload type (RFC 3551, 6).
const FIRST_TYPE: u32 = 96;
/// Where the channel mapping family stands in an OpusHead (RFC 7845, 5.1).
const MAPPING_FAMILY: usize = 18;

/// Why a stream can't go out by RTP.
#[derive(Debug, thiserror::Error)]
pub(super) enum PipelineError {
    #[error("GStreamer has no element {0}, which makes RTP of this codec; install its plugin")]
    NoPayloader(&'static str),
    #[error("there is no RTP for Opus of more than two channels here")]
    Channels,
    #[error(transparent)]
    Element(#[from] gst::glib::BoolError),
}

/// A track's end of the pipeline.
pub(super) struct Inlet {
    pub track: Track,
    pub source: AppSrc,
    /// What goes into each keyframe.
    pub sets: Option<ParameterSets>,
    /// Its samples are left out until the next keyframe.
    pub skips: bool,
}

/// The pipeline's elements, as GStreamer's RTSP server wants them: payloaders are called `pay0` and so on.
pub(super) fn build(tracks: &[Track]) -> Result<(gst::Bin, Vec<Inlet>), PipelineError> {
    let bin = gst::Bin::new();
    let mut inlets = Vec::new();
    for (number, track) in (0..).zip(tracks) {
        let source = AppSrc::builder()
            .caps(&caps(&track.format)?)
            .format(gst::Format::Time)
            .is_live(true)
            .block(false)
            .build();
        // A track that no viewer takes leads nowhere, which must not end the others.
        let tolerant = gst::ElementFactory::make("tee")
            .property("allow-not-linked", true)
            .build()?;
        let payloader = payloader(&track.format)?;
        payloader.set_property("name", format!("pay{number}"));
        payloader.set_property("pt", FIRST_TYPE + number);
        bin.add_many([source.upcast_ref(), &tolerant, &payloader])?;
        gst::Element::link_many([source.upcast_ref(), &tolerant, &payloader])?;
        // As for any live source; sinks would else complain that they can't be waited for.
        source.set_latency(gst::ClockTime::ZERO, gst::ClockTime::NONE);
        let sets = match &track.format {
            Format::Video(video) => ParameterSets::of(&video.codec),
            Format::Audio(..) => None,
        };
        inlets.push(Inlet {
            track: track.clone(),
            source,
            sets,
            skips: false,
        });
    }
    Ok((bin, inlets))
}

fn caps(format: &Format) -> Result<gst::Caps, PipelineError> {
    Ok(match format {
        Format::Video(video) => video_caps(video),
        Format::Audio(audio, info) => audio_caps(audio, info)?,
    })
}

fn video_caps(video: &VideoConfig) -> gst::Caps {
    let (name, stream_format, alignment, record) = match &video.codec {
        VideoCodec::H264(avcc) => ("video/x-h264", "avc", "au", Some(avcc)),
        VideoCodec::H265(hvcc) => ("video/x-h265", "hvc1", "au", Some(hvcc)),
        VideoCodec::Av1(av1c) => ("video/x-av1", "obu-stream", "tu", av1c.as_ref()),
    };
    let record = record.map(|record| gst::Buffer::from_slice(record.clone()));
    gst::Caps::builder(name)
        .field("stream-format", stream_format)
        .field("alignment", alignment)
        .field("width", i32::from(video.width))
        .field("height", i32::from(video.height))
        .field_if_some("codec_data", record)
        .build()
}

fn audio_caps(audio: &AudioConfig, info: &AudioInfo) -> Result<gst::Caps, PipelineError> {
    let caps = match audio {
        AudioConfig::Aac(asc) => gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4)
            .field("stream-format", "raw")
            .field("framed", true)
            .field("codec_data", gst::Buffer::from_slice(asc.clone())),
        AudioConfig::Opus(head) if head.get(MAPPING_FAMILY) == Some(&0) => {
            gst::Caps::builder("audio/x-opus").field("channel-mapping-family", 0)
        }
        AudioConfig::Opus(_) => return Err(PipelineError::Channels),
    };
    let rate = i32::try_from(info.sample_rate).unwrap_or(i32::MAX);
    Ok(caps
        .field("rate", rate)
        .field("channels", i32::from(info.channels))
        .build())
}

fn payloader(format: &Format) -> Result<gst::Element, PipelineError> {
    let name = match format {
        Format::Video(video) => match video.codec {
            VideoCodec::H264(_) => "rtph264pay",
            VideoCodec::H265(_) => "rtph265pay",
            VideoCodec::Av1(_) => "rtpav1pay",
        },
        Format::Audio(AudioConfig::Aac(_), _) => "rtpmp4gpay",
        Format::Audio(AudioConfig::Opus(_), _) => "rtpopuspay",
    };
    let factory = gst::ElementFactory::find(name).ok_or(PipelineError::NoPayloader(name))?;
    let payloader = factory.create().build()?;
    // A picture goes out when it is there, not when the next one begins.
    if payloader.has_property("aggregate-mode") {
        payloader.set_property_from_str("aggregate-mode", "zero-latency");
    }
    Ok(payloader)
}
