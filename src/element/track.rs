//! One pad's part: its segment and buffers in GStreamer's words, made into the muxer's nouns.

use bytes::Bytes;
use gstreamer as gst;

use crate::media::fragment::{AccessUnit, Nanos};

/// Where running time 0 lies on the muxer's clock, which has no negative times: encoders with
/// B-frames begin with decode times before their segment.
const BEFORE_ZERO: Nanos = 10_000_000_000;

/// Which of the two pads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Video,
    Audio,
}

impl Kind {
    /// The name of the pad and of its template.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Video => "video",
            Kind::Audio => "audio",
        }
    }
}

/// A requested pad and what it has said so far.
pub(super) struct Track {
    pub pad: gst::Pad,
    pub configured: bool,
    /// The number of the EOS event, where it has come.
    pub eos: Option<gst::Seqnum>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// Where its last buffer ends, in nanoseconds of running time.
    end: Option<i64>,
    untimed: u64,
}

/// Why a buffer can't be muxed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It has no time; this many of its pad had none until now.
    Untimed(u64),
    /// It can't be mapped.
    Unreadable,
}

impl Track {
    pub fn new(pad: gst::Pad) -> Self {
        Self {
            pad,
            configured: false,
            eos: None,
            segment: None,
            end: None,
            untimed: 0,
        }
    }

    /// Forgets all but the pad.
    pub fn reset(&mut self) {
        *self = Self::new(self.pad.clone());
    }

    /// Forgets the timeline, as a flush asks for.
    pub fn flush(&mut self) {
        self.eos = None;
        self.segment = None;
        self.end = None;
    }

    /// When a buffer is due, in nanoseconds of running time: encoders want what is decoded first first.
    /// `None`: it has no time.
    pub fn due(&mut self, buffer: &gst::BufferRef) -> Option<i64> {
        let segment = self.segment.as_ref()?;
        let at = |time| signed(segment.to_running_time_full(time)?);
        let due = at(buffer.dts().or(buffer.pts())?)?;
        let lasts = buffer.duration().unwrap_or_default();
        let end = at(buffer.pts().or(buffer.dts())?.saturating_add(lasts))?;
        self.end = Some(self.end.map_or(end, |last| last.max(end)));
        Some(due)
    }

    /// Where the last buffer that was due ends, in nanoseconds of running time.
    pub fn end(&self) -> Option<i64> {
        self.end
    }

    /// Takes a segment. `false`: not one in time, or one that plays backwards.
    pub fn set_segment(&mut self, segment: &gst::Segment) -> bool {
        let segment = segment.downcast_ref::<gst::ClockTime>();
        self.segment = segment.filter(|segment| segment.rate() > 0.0).cloned();
        self.segment.is_some()
    }

    /// Where the pad is, in stream time.
    pub fn position(&self) -> Option<gst::ClockTime> {
        let segment = self.segment.as_ref()?;
        segment.to_stream_time(segment.position()?)
    }

    /// Makes a buffer into an access unit on the muxer's clock. The bytes are the buffer's own.
    pub fn access_unit(&mut self, kind: Kind, buffer: gst::Buffer) -> Result<AccessUnit, Unfit> {
        let pts = buffer.pts().or(buffer.dts());
        let dts = buffer.dts().or(buffer.pts());
        let (Some(pts), Some(dts), Some(segment)) = (pts, dts, self.segment.as_mut()) else {
            self.untimed += 1;
            return Err(Unfit::Untimed(self.untimed));
        };
        segment.set_position(pts);
        let (Some(pts), Some(dts)) = (running_time(segment, pts), running_time(segment, dts))
        else {
            self.untimed += 1;
            return Err(Unfit::Untimed(self.untimed));
        };
        let keyframe =
            kind == Kind::Audio || !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let data = buffer
            .into_mapped_buffer_readable()
            .map_err(|_| Unfit::Unreadable)?;
        Ok(AccessUnit {
            dts,
            pts,
            keyframe,
            data: Bytes::from_owner(data),
        })
    }
}

fn signed(time: gst::Signed<gst::ClockTime>) -> Option<i64> {
    let nanoseconds = i64::try_from(time.abs().nseconds()).ok()?;
    Some(if time.is_negative() {
        -nanoseconds
    } else {
        nanoseconds
    })
}

fn running_time(
    segment: &gst::FormattedSegment<gst::ClockTime>,
    time: gst::ClockTime,
) -> Option<Nanos> {
    Some(match segment.to_running_time_full(time)? {
        gst::Signed::Positive(time) => BEFORE_ZERO.saturating_add(time.nseconds()),
        gst::Signed::Negative(time) => BEFORE_ZERO.saturating_sub(time.nseconds()),
    })
}
