//! What RTMP carries of H.264 and AAC, to the muxer. Pure.
//!
//! ```text
//! video  frame:u4 codec:u4 packet:u8 composition:i24 data   codec 7: AVC; packet 0: avcC, 1: NAL units
//! audio  format:u4 …:u4 packet:u8 data                      format 10: AAC; packet 0: ASC, 1: a frame
//! ```
//! (Adobe Flash Video File Format Specification 10.1, E.4.2 and E.4.3.)

use bytes::Bytes;
use h264_reader::avcc::AvcDecoderConfigurationRecord;

use crate::media::fragment::{AccessUnit, AudioConfig, Nanos, Output, VideoCodec, VideoConfig};
use crate::media::{MediaError, Muxer};

const AVC: u8 = 7;
const AAC: u8 = 10;
const KEYFRAME: u8 = 1;

/// A time that goes back by more is past 32 bits of milliseconds, after 49 days.
const WRAP: u32 = 1 << 31;

/// Why a tag can't be used; it alone is lost.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// Fewer bytes than its head has.
    #[error("a tag is cut off; the publisher's muxer is broken")]
    Short,
    /// Not H.264.
    #[error("the picture is not H.264; set the publisher to H.264")]
    Video,
    /// Not AAC.
    #[error("the sound is not AAC; set the publisher to AAC")]
    Audio,
    /// No SPS that can be read.
    #[error("the picture's size can't be read from its SPS; use another encoder")]
    Size,
    /// The muxer's verdict.
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// One publisher's tags on their way.
#[derive(Debug)]
pub struct Tags {
    muxer: Muxer,
    /// A picture has been configured.
    pictured: bool,
    video: Clock,
    audio: Clock,
}

/// 32 bits of milliseconds, made longer.
#[derive(Debug, Default)]
struct Clock {
    last: u32,
    wraps: u64,
}

impl Clock {
    fn nanos(&mut self, time: u32) -> Nanos {
        if self.last.saturating_sub(time) > WRAP {
            self.wraps += 1;
        }
        self.last = time;
        (self.wraps * (1 << 32) + u64::from(time)) * 1_000_000
    }
}

impl Tags {
    /// A publisher that has sent nothing; both tracks are expected.
    pub fn new() -> Self {
        Self {
            muxer: Muxer::new(true, true),
            pictured: false,
            video: Clock::default(),
            audio: Clock::default(),
        }
    }

    /// The publisher says whether there is a picture. What it sends counts more.
    pub fn announce(&mut self, picture: bool) {
        self.muxer.expect_video(picture || self.pictured);
    }

    /// Takes a video tag's data; `time` is its decode time in milliseconds.
    pub fn video(&mut self, time: u32, data: &Bytes) -> Result<(), TagError> {
        let [head, packet, composition @ ..] = *data.first_chunk::<5>().ok_or(TagError::Short)?;
        // The bit for enhanced RTMP is among the frame's: none of its codecs is 7.
        if head & 0x0f != AVC || head & 0x80 != 0 {
            return Err(TagError::Video);
        }
        match packet {
            0 => {
                let config = configuration(data.slice(5..)).ok_or(TagError::Size)?;
                self.muxer.set_video(config)?;
                self.pictured = true;
                Ok(())
            }
            1 => {
                let dts = self.video.nanos(time);
                let [high, middle, low] = composition;
                let offset = i64::from(i32::from_be_bytes([high, middle, low, 0]) >> 8) * 1_000_000;
                let unit = AccessUnit {
                    dts,
                    pts: dts.saturating_add_signed(offset),
                    keyframe: head >> 4 == KEYFRAME,
                    data: data.slice(5..),
                };
                Ok(self.muxer.push_video(unit)?)
            }
            _ => Ok(()),
        }
    }

    /// Takes an audio tag's data.
    pub fn audio(&mut self, time: u32, data: &Bytes) -> Result<(), TagError> {
        let [head, packet] = *data.first_chunk::<2>().ok_or(TagError::Short)?;
        if head >> 4 != AAC {
            return Err(TagError::Audio);
        }
        let data = data.slice(2..);
        match packet {
            0 => Ok(self.muxer.set_audio(AudioConfig::Aac(data))?),
            // Some publishers send empty frames where there is no sound.
            1 if !data.is_empty() => {
                let time = self.audio.nanos(time);
                Ok(self.muxer.push_audio(AccessUnit {
                    dts: time,
                    pts: time,
                    keyframe: true,
                    data,
                })?)
            }
            _ => Ok(()),
        }
    }

    /// The next output, in order.
    pub fn pop(&mut self) -> Option<Output> {
        self.muxer.pop()
    }
}

/// What the SPS says of the picture, the frame rate where it does.
fn configuration(avcc: Bytes) -> Option<VideoConfig> {
    let record = AvcDecoderConfigurationRecord::try_from(&avcc[..]).ok()?;
    let context = record.create_context().ok()?;
    let sps = context.sps().next()?;
    let (width, height) = sps.pixel_dimensions().ok()?;
    let rate = sps.fps().filter(|rate| (1.0..1000.0).contains(rate));
    // In thousandths, as the field writes 29.97.
    let rate = rate.map(|rate| ((rate * 1000.0).round() as u32, 1000));
    Some(VideoConfig {
        width: width.try_into().ok()?,
        height: height.try_into().ok()?,
        frame_rate: rate,
        codec: VideoCodec::H264(avcc),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn tags_that_can_not_be_used_are_errors_and_no_panic() {
        let mut tags = Tags::new();
        let rows: [(&[u8], &str); 6] = [
            (&[], "cut off"),
            (&[0x17, 0], "cut off"),
            (&[0x1c, 1, 0, 0, 0, 1], "not H.264"),
            (&[0x90, b'h', b'v', b'c', b'1'], "not H.264"),
            (&[0x17, 0, 0, 0, 0], "SPS"),
            (
                &[0x17, 0, 0, 0, 0, 1, 66, 0, 30, 0xff, 0xe1, 0xff, 0xff],
                "SPS",
            ),
        ];
        for (data, expected) in rows {
            let error = tags.video(0, &Bytes::from_static(data)).unwrap_err();
            assert!(error.to_string().contains(expected), "{data:?}: {error}");
        }
        assert!(tags.audio(0, &Bytes::from_static(&[0x2f, 1, 7])).is_err());
        assert!(tags.audio(0, &Bytes::from_static(&[0xaf])).is_err());
        assert!(tags.audio(0, &Bytes::from_static(&[0xaf, 0])).is_err());
        assert!(tags.audio(0, &Bytes::from_static(&[0xaf, 1])).is_ok());
        assert!(tags.pop().is_none());
    }

    #[test]
    fn times_go_on_past_32_bits() {
        let mut clock = Clock::default();
        assert_eq!(clock.nanos(u32::MAX), 4_294_967_295_000_000);
        assert_eq!(clock.nanos(9), 4_294_967_305_000_000);
        assert_eq!(clock.nanos(8), 4_294_967_304_000_000, "a little disorder");
    }
}
