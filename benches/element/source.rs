//! What the encoders make, before anything is measured.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;

/// One pad's codec.
#[derive(Clone, Copy)]
pub struct Branch {
    pub name: &'static str,
    pub pad: &'static str,
    encoder: &'static str,
}

/// 640x360, 30 frames a second, a keyframe each second.
pub const VIDEO: [Branch; 3] = [
    video(
        "H.264",
        "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=1000 \
         ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
    ),
    video(
        "H.265",
        "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=1000 \
         ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au",
    ),
    video(
        "AV1",
        "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=30 target-bitrate=1000 \
         ! av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu",
    ),
];

pub const AAC: Branch = audio("AAC", "voaacenc bitrate=128000 ! aacparse");
pub const OPUS: Branch = audio("Opus", "opusenc bitrate=128000 ! opusparse");

const fn video(name: &'static str, encoder: &'static str) -> Branch {
    Branch {
        name,
        pad: "video",
        encoder,
    }
}

const fn audio(name: &'static str, encoder: &'static str) -> Branch {
    Branch {
        name,
        pad: "audio",
        encoder,
    }
}

impl Branch {
    /// Its caps and buffers for so many seconds.
    pub fn encode(&self, seconds: u64) -> (gst::Caps, Vec<gst::Buffer>) {
        let (source, encoder) = (self.source(seconds), self.encoder);
        let description = format!("{source} ! {encoder} ! appsink name=out sync=false");
        let pipeline = gst::parse::launch(&description).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let sink = pipeline.by_name("out").unwrap();
        let sink = sink.downcast::<AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let mut caps = None;
        let mut buffers = Vec::new();
        let start =
            |sample: &gst::Sample| sample.segment()?.downcast_ref::<gst::ClockTime>()?.start();
        while let Ok(sample) = sink.pull_sample() {
            let mut buffer = sample.buffer_owned().unwrap();
            // x264enc begins at 1000 h.
            let from = start(&sample).unwrap_or_default();
            let inner = buffer.make_mut();
            inner.set_pts(inner.pts().map(|time| time.saturating_sub(from)));
            inner.set_dts(inner.dts().map(|time| time.saturating_sub(from)));
            caps = caps.or(sample.caps_owned());
            buffers.push(buffer);
        }
        pipeline.set_state(gst::State::Null).unwrap();
        (caps.unwrap(), buffers)
    }

    fn source(&self, seconds: u64) -> String {
        if self.pad == "video" {
            let frames = seconds * 30;
            format!(
                "videotestsrc num-buffers={frames} pattern=ball \
                 ! video/x-raw,format=I420,width=640,height=360,framerate=30/1"
            )
        } else {
            let blocks = seconds * 50;
            format!(
                "audiotestsrc num-buffers={blocks} samplesperbuffer=960 \
                 ! audio/x-raw,rate=48000,channels=2"
            )
        }
    }
}
