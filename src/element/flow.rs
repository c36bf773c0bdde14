//! From the pads to the publisher: who is expected, what the muxer makes, when the stream ends.
//!
//! Nothing here blocks, posts a message or calls into a pad; the shell does that afterwards, with
//! the lock released.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer as gst;

use super::caps::{self, CapsError};
use super::standalone::Doors;
use super::track::{Kind, Track, Unfit};
use crate::hub::Publisher;
use crate::media::fragment::{AccessUnit, Output};
use crate::media::{MediaError, Muxer};

/// Where the media goes.
pub(super) enum Target {
    /// What a server gave.
    Given(Arc<Publisher>),
    /// The element's own doors.
    Own(Doors),
}

/// The element's state under its lock.
#[derive(Default)]
pub(super) struct Flow {
    video: Option<Track>,
    audio: Option<Track>,
    started: Option<Started>,
    playing: bool,
    keyframe_at: Option<Instant>,
    counts: Counts,
}

struct Started {
    target: Target,
    muxer: Muxer,
}

/// What `stats` tells, since the last start.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    video_frames: u64,
    audio_frames: u64,
    refused_frames: u64,
    init_segments: u64,
    pub fragments: u64,
    bytes: u64,
}

/// Why caps are refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Caps(#[from] CapsError),
    #[error("the stream can't be muxed: {0}")]
    Media(#[from] MediaError),
}

/// What became of a buffer.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is muxed, or will be with what follows.
    Muxed,
    /// It had no time; the first one of its pad.
    FirstUntimed,
    /// It is left out, for the reason given.
    LeftOut(String),
    /// There is nobody to take it.
    Stopped,
    /// No caps came before it.
    NoCaps,
}

impl Target {
    fn publisher(&self) -> &Arc<Publisher> {
        match self {
            Target::Given(publisher) => publisher,
            Target::Own(doors) => doors.served.publisher(),
        }
    }
}

impl Started {
    fn expect(&mut self, kind: Kind, expected: bool) {
        match kind {
            Kind::Video => self.muxer.expect_video(expected),
            Kind::Audio => self.muxer.expect_audio(expected),
        }
    }

    fn push(&mut self, kind: Kind, unit: AccessUnit) -> Result<(), MediaError> {
        match kind {
            Kind::Video => self.muxer.push_video(unit),
            Kind::Audio => self.muxer.push_audio(unit),
        }
    }

    fn drain(&mut self, counts: &mut Counts) {
        while let Some(output) = self.muxer.pop() {
            match &output {
                Output::Init(init) => {
                    counts.init_segments += 1;
                    counts.bytes += init.bytes.len() as u64;
                }
                Output::Fragment(fragment) => {
                    counts.fragments += 1;
                    counts.bytes += fragment.bytes.len() as u64;
                }
            }
            self.target.publisher().publish(output);
        }
    }

    /// Sends what is pending and tells viewers that it was the last; what follows starts anew.
    fn end(&mut self, counts: &mut Counts) {
        self.muxer.finish();
        self.drain(counts);
        self.muxer.discontinuity();
        self.target.publisher().stop();
    }
}

impl Flow {
    /// Takes up work for a target. The pads' state begins anew.
    pub fn start(&mut self, target: Target) {
        for track in [&mut self.video, &mut self.audio].into_iter().flatten() {
            track.reset();
        }
        self.counts = Counts::default();
        self.keyframe_at = None;
        self.started = Some(Started {
            target,
            muxer: Muxer::new(self.video.is_some(), self.audio.is_some()),
        });
    }

    /// Ends the stream and gives the target back, to be dropped without the lock: doors take a
    /// moment to close.
    #[must_use = "drop it after the lock is released"]
    pub fn stop(&mut self) -> Option<Target> {
        self.playing = false;
        let mut started = self.started.take()?;
        started.end(&mut self.counts);
        Some(started.target)
    }

    /// Adds a pad. `false`: there is one of its kind.
    pub fn add(&mut self, kind: Kind, pad: gst::Pad) -> bool {
        let track = self.track_mut(kind);
        if track.is_some() {
            return false;
        }
        *track = Some(Track::new(pad));
        if let Some(started) = &mut self.started {
            started.expect(kind, true);
        }
        true
    }

    /// Takes a pad off. Says the EOS to post, where it was the last that was not at its end.
    pub fn remove(&mut self, pad: &gst::Pad) -> Option<gst::Seqnum> {
        let kind = self.kind_of(pad)?;
        let ended_before = self.ended().is_some();
        *self.track_mut(kind) = None;
        if let Some(started) = &mut self.started {
            started.expect(kind, false);
            started.drain(&mut self.counts);
        }
        self.ended_now(ended_before)
    }

    /// Which pad it is.
    pub fn kind_of(&self, pad: &gst::Pad) -> Option<Kind> {
        [Kind::Video, Kind::Audio]
            .into_iter()
            .find(|kind| self.track(*kind).is_some_and(|track| track.pad == *pad))
    }

    /// All pads.
    pub fn pads(&self) -> Vec<gst::Pad> {
        let tracks = [&self.video, &self.audio].into_iter().flatten();
        tracks.map(|track| track.pad.clone()).collect()
    }

    /// The furthest pad's position in stream time.
    pub fn position(&self) -> Option<gst::ClockTime> {
        let tracks = [&self.video, &self.audio].into_iter().flatten();
        tracks.filter_map(Track::position).max()
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The element's own doors, while they are open.
    pub fn doors(&self) -> Option<&Doors> {
        match &self.started.as_ref()?.target {
            Target::Own(doors) => Some(doors),
            Target::Given(_) => None,
        }
    }

    /// The video pad, where no keyframe came on it for so long.
    pub fn pad_without_keyframe_since(&self, now: Instant, age: Duration) -> Option<gst::Pad> {
        let fresh = self
            .keyframe_at
            .is_some_and(|at| now.saturating_duration_since(at) < age);
        let video = self.video.as_ref().filter(|_| !fresh)?;
        Some(video.pad.clone())
    }

    /// The port of the element's own doors.
    pub fn port(&self) -> Option<u16> {
        self.doors().map(|doors| doors.port)
    }

    /// A stream begins on a pad: an EOS before it counts no more.
    pub fn stream_start(&mut self, kind: Kind) {
        if let Some(track) = self.track_mut(kind) {
            track.eos = None;
        }
        self.expect(kind, true);
    }

    /// Reads a pad's caps.
    pub fn set_caps(&mut self, kind: Kind, caps: &gst::Caps) -> Result<(), Refusal> {
        if let Some(track) = self.track_mut(kind) {
            track.configured = false;
        }
        match kind {
            Kind::Video => {
                let config = caps::video_config(caps)?;
                if let Some(started) = &mut self.started {
                    started.muxer.set_video(config)?;
                }
            }
            Kind::Audio => {
                let config = caps::audio_config(caps)?;
                if let Some(started) = &mut self.started {
                    started.muxer.set_audio(config)?;
                }
            }
        }
        if let Some(track) = self.track_mut(kind) {
            track.configured = true;
        }
        self.drain();
        Ok(())
    }

    /// Takes a pad's segment. `false`: not one that can be played.
    pub fn set_segment(&mut self, kind: Kind, segment: &gst::Segment) -> bool {
        self.track_mut(kind)
            .as_mut()
            .is_some_and(|track| track.set_segment(segment))
    }

    /// A pad was flushed: the timeline begins anew.
    pub fn flush(&mut self, kind: Kind) {
        if let Some(track) = self.track_mut(kind) {
            track.flush();
        }
        self.expect(kind, true);
        if let Some(started) = &mut self.started {
            started.muxer.discontinuity();
        }
    }

    /// A pad is at its end. Says the EOS to post, where all are now.
    pub fn eos(&mut self, kind: Kind, seqnum: gst::Seqnum) -> Option<gst::Seqnum> {
        let ended_before = self.ended().is_some();
        if let Some(track) = self.track_mut(kind) {
            track.eos = Some(seqnum);
        }
        self.expect(kind, false);
        self.ended_now(ended_before)
    }

    /// Playing begins or pauses. Says the EOS to post, where it waited for that.
    pub fn set_playing(&mut self, playing: bool) -> Option<gst::Seqnum> {
        self.playing = playing;
        self.ended().filter(|_| playing)
    }

    /// When a buffer is due on the clock, in nanoseconds of running time. `None`: whenever it comes.
    pub fn due(&mut self, kind: Kind, buffer: &gst::BufferRef) -> Option<i64> {
        self.track_mut(kind).as_mut()?.due(buffer)
    }

    /// Where a pad's last buffer that was due ends, in nanoseconds of running time.
    pub fn end_of(&self, kind: Kind) -> Option<i64> {
        self.track(kind)?.end()
    }

    /// Muxes a buffer and publishes what comes of it.
    pub fn push(&mut self, kind: Kind, buffer: gst::Buffer) -> Taken {
        let (track, frames) = match kind {
            Kind::Video => (self.video.as_mut(), &mut self.counts.video_frames),
            Kind::Audio => (self.audio.as_mut(), &mut self.counts.audio_frames),
        };
        let (Some(track), Some(started)) = (track, self.started.as_mut()) else {
            return Taken::Stopped;
        };
        if !track.configured {
            return Taken::NoCaps;
        }
        *frames += 1;
        let keyframe =
            kind == Kind::Video && !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let unit = track.access_unit(kind, buffer);
        let pushed = match unit {
            Ok(unit) => started.push(kind, unit).map_err(|error| error.to_string()),
            Err(Unfit::Untimed(1)) => {
                self.counts.refused_frames += 1;
                return Taken::FirstUntimed;
            }
            Err(Unfit::Untimed(_)) => Err("it has no time".to_owned()),
            Err(Unfit::Unreadable) => Err("it can't be mapped".to_owned()),
        };
        started.drain(&mut self.counts);
        match pushed {
            Ok(()) => {
                if keyframe {
                    self.keyframe_at = Some(Instant::now());
                }
                Taken::Muxed
            }
            Err(reason) => {
                self.counts.refused_frames += 1;
                Taken::LeftOut(reason)
            }
        }
    }

    fn track(&self, kind: Kind) -> Option<&Track> {
        match kind {
            Kind::Video => self.video.as_ref(),
            Kind::Audio => self.audio.as_ref(),
        }
    }

    fn track_mut(&mut self, kind: Kind) -> &mut Option<Track> {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    fn expect(&mut self, kind: Kind, expected: bool) {
        if let Some(started) = &mut self.started {
            started.expect(kind, expected);
            started.drain(&mut self.counts);
        }
    }

    fn drain(&mut self) {
        if let Some(started) = &mut self.started {
            started.drain(&mut self.counts);
        }
    }

    /// The last EOS, where there are pads and all are at their end.
    fn ended(&self) -> Option<gst::Seqnum> {
        let mut tracks = [&self.video, &self.audio].into_iter().flatten();
        let first = tracks.next()?.eos?;
        tracks.try_fold(first, |_, track| track.eos)
    }

    fn ended_now(&mut self, before: bool) -> Option<gst::Seqnum> {
        let seqnum = self.ended().filter(|_| !before)?;
        if let Some(started) = &mut self.started {
            started.end(&mut self.counts);
        }
        Some(seqnum).filter(|_| self.playing)
    }
}

impl Counts {
    /// As the property `stats` shows it.
    pub fn structure(&self) -> gst::Structure {
        gst::Structure::builder("h5liveauthsink-stats")
            .field("video-frames", self.video_frames)
            .field("audio-frames", self.audio_frames)
            .field("refused-frames", self.refused_frames)
            .field("init-segments", self.init_segments)
            .field("fragments", self.fragments)
            .field("bytes", self.bytes)
            .build()
    }
}
