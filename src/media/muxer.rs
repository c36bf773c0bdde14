//! The state machine: when a stream begins, and when it must begin anew.

use std::collections::VecDeque;

use super::codec::av1;
use super::error::{MAX_ACCESS_UNIT, MAX_REORDER, MAX_TIME, MediaError};
use super::fragment::{AccessUnit, AudioConfig, Nanos, Output, VideoCodec, VideoConfig};
use super::session::{Outbox, Session};
use super::setup::{AudioSetup, Coding, VideoSetup};

/// How long a first keyframe waits for the other track's configuration.
const CONFIG_WAIT: Nanos = 500_000_000;
/// How long audio waits for a first keyframe of a configured video.
const KEYFRAME_WAIT: Nanos = 10_000_000_000;
/// Bounds of what is held back while it waits.
const MAX_HELD_VIDEO: usize = 600;
const MAX_HELD_BYTES: usize = 2 * MAX_ACCESS_UNIT;
const MAX_HELD_AUDIO: usize = 1024;

/// Makes fragmented MP4 of H.264, H.265, AV1, AAC and Opus: one fragment a picture, with the audio that
/// is due, and nothing held back. Output is a function of input.
///
/// Push in arrival order, and [`pop`](Self::pop) until it is empty after each push.
#[derive(Debug)]
pub struct Muxer {
    wanted: Wanted,
    session: Option<Session>,
    held: Held,
    counts: Counts,
    out: Outbox,
}

/// What is to be sent, as far as it is known.
#[derive(Debug)]
struct Wanted {
    expect_video: bool,
    expect_audio: bool,
    /// What was said of the video.
    video_config: Option<VideoConfig>,
    /// The same, read. AV1's is not there before a keyframe where only that tells it.
    video: Option<VideoSetup>,
    audio: Option<AudioSetup>,
}

impl Wanted {
    /// The tracks that the next init segment is to have.
    fn tracks(&self) -> (Option<&VideoSetup>, Option<&AudioSetup>) {
        (
            self.video.as_ref().filter(|_| self.expect_video),
            self.audio.as_ref().filter(|_| self.expect_audio),
        )
    }
}

/// What the muxer had to drop or to make, since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pictures that could not be decoded: no keyframe, or no configuration, stood before them.
    pub dropped_video: u64,
    /// Frames of audio for time that had passed or had been filled.
    pub dropped_audio: u64,
    /// Silent frames of audio that were made.
    pub silent_audio: u64,
}

impl Counts {
    fn add_audio(&mut self, (dropped, silent): (u64, u64)) {
        self.dropped_audio += dropped;
        self.silent_audio += silent;
    }
}

/// What waits for the stream to begin.
#[derive(Debug, Default)]
struct Held {
    /// Begins with a keyframe.
    video: Vec<AccessUnit>,
    video_bytes: usize,
    audio: VecDeque<AccessUnit>,
}

impl Held {
    fn push_audio(&mut self, unit: AccessUnit) -> u64 {
        let full = self.audio.len() >= MAX_HELD_AUDIO;
        if full {
            self.audio.pop_front();
        }
        self.audio.push_back(unit);
        u64::from(full)
    }

    fn is_full(&self) -> bool {
        self.video.len() >= MAX_HELD_VIDEO || self.video_bytes >= MAX_HELD_BYTES
    }

    /// How long the first has waited; times that jump have waited long enough.
    fn waited(first: Option<&AccessUnit>, now: Nanos) -> Option<Nanos> {
        first.map(|first| now.abs_diff(first.dts))
    }
}

impl Muxer {
    /// A muxer that expects these tracks.
    pub fn new(video: bool, audio: bool) -> Self {
        Self {
            wanted: Wanted {
                expect_video: video,
                expect_audio: audio,
                video_config: None,
                video: None,
                audio: None,
            },
            session: None,
            held: Held::default(),
            counts: Counts::default(),
            out: Outbox::default(),
        }
    }

    /// Says whether a video track is to come: a pad came, went, or has ended.
    pub fn expect_video(&mut self, expected: bool) {
        self.wanted.expect_video = expected;
    }

    /// Says whether an audio track is to come. Without one, the next keyframe begins a stream
    /// without it.
    pub fn expect_audio(&mut self, expected: bool) {
        self.wanted.expect_audio = expected;
    }

    /// Sets the video's configuration. Another record or picture size makes a new init segment at
    /// the next keyframe; the same again changes nothing.
    ///
    /// # Errors
    /// That of the record, or [`MediaError::NoPictureSize`]; the configuration before stays.
    pub fn set_video(&mut self, config: VideoConfig) -> Result<(), MediaError> {
        let setup = VideoSetup::read(&config)?;
        let (codec, size) = (&config.codec, (config.width, config.height));
        let said = self.wanted.video_config.as_ref();
        let known =
            said.is_some_and(|said| (&said.codec, (said.width, said.height)) == (codec, size));
        match (setup, &mut self.wanted.video) {
            // The same caps again must not make pictures unknown until the next keyframe.
            (None, Some(setup)) if known => setup.config.frame_rate = config.frame_rate,
            (setup, wanted) => *wanted = setup,
        }
        if let (Some(session), Some(setup)) = (&mut self.session, &self.wanted.video)
            && session.takes_video(Some(setup))
        {
            session.set_frame_rate(config.frame_rate);
        }
        self.wanted.video_config = Some(config);
        self.wanted.expect_video = true;
        Ok(())
    }

    /// Sets the audio's configuration. Another one makes a new init segment at the next keyframe,
    /// or at once where there is no video; the same again changes nothing.
    ///
    /// # Errors
    /// That of the AudioSpecificConfig or OpusHead; the configuration before stays.
    pub fn set_audio(&mut self, config: AudioConfig) -> Result<(), MediaError> {
        self.wanted.audio = Some(AudioSetup::read(config)?);
        self.wanted.expect_audio = true;
        Ok(())
    }

    /// Takes a picture, in decode order.
    ///
    /// # Errors
    /// When this access unit cannot be used; it alone is lost.
    pub fn push_video(&mut self, mut unit: AccessUnit) -> Result<(), MediaError> {
        check(&unit)?;
        let reorder = unit.pts.abs_diff(unit.dts);
        if reorder > MAX_REORDER {
            return Err(MediaError::Reorder(reorder));
        }
        let config = self.wanted.video_config.as_ref();
        let config = config.ok_or(MediaError::NoConfig("video"))?;
        if matches!(config.codec, VideoCodec::Av1(_)) {
            self.read_av1(&mut unit)?;
        } else if let Some(setup) = &self.wanted.video {
            setup.check(&unit.data)?;
        }
        self.route_video(unit)
    }

    /// Takes the delimiter off, and what a keyframe's sequence header says as the configuration: in
    /// AV1 it may change without a word from the caps.
    fn read_av1(&mut self, unit: &mut AccessUnit) -> Result<(), MediaError> {
        let sample = av1::read_sample(&unit.data, unit.keyframe)?;
        unit.data = sample.data;
        if let (Some(sequence), Some(config)) = (sample.sequence, &self.wanted.video_config) {
            self.wanted.video = Some(VideoSetup {
                config: config.clone(),
                coding: Coding::Av1(sequence),
            });
        } else if unit.keyframe && self.wanted.video.is_none() {
            return Err(MediaError::SequenceHeader("a keyframe has none"));
        }
        Ok(())
    }

    /// Takes a frame of audio.
    ///
    /// # Errors
    /// When this access unit cannot be used; it alone is lost.
    pub fn push_audio(&mut self, unit: AccessUnit) -> Result<(), MediaError> {
        check(&unit)?;
        let setup = self
            .wanted
            .audio
            .as_ref()
            .ok_or(MediaError::NoConfig("audio"))?;
        setup.samples_of(&unit.data)?;
        let Some(session) = &mut self.session else {
            let now = unit.dts;
            self.counts.dropped_audio += self.held.push_audio(unit);
            return self.try_start(now);
        };
        if session.has_video() && self.wanted.expect_video {
            if !session.takes_audio(Some(setup)) {
                self.counts.dropped_audio += self.held.push_audio(unit);
            } else if let Err(unit) = session.audio(unit, &mut self.out) {
                self.counts.dropped_audio += self.held.push_audio(unit);
            }
            return Ok(());
        }
        if session.has_video() || !session.takes_audio(Some(setup)) {
            self.held.push_audio(unit);
            let previous = self.end_session();
            return self.start(previous);
        }
        if let Err(unit) = session.audio(unit, &mut self.out) {
            self.held.push_audio(unit);
            self.end_session();
            return self.start(None);
        }
        Ok(())
    }

    /// Forgets the timeline (a flush). The configurations stay; the next output begins with an init
    /// segment that does not continue the one before.
    pub fn discontinuity(&mut self) {
        if let Some(session) = &mut self.session {
            self.counts.add_audio(session.take_audio_counts());
        }
        self.session = None;
        self.held = Held::default();
    }

    /// Puts out what is pending: the stream has ended.
    pub fn finish(&mut self) {
        if self.session.is_none() && !(self.held.video.is_empty() && self.held.audio.is_empty()) {
            // Nobody is left to hear that the init segment cannot be written.
            let _ = self.start(None);
        }
        if let Some(session) = &mut self.session {
            session.flush_audio(&mut self.out);
        }
    }

    /// The next output, in order.
    pub fn pop(&mut self) -> Option<Output> {
        self.out.queue.pop_front()
    }

    /// What was dropped and made since the muxer was created.
    pub fn counts(&mut self) -> Counts {
        if let Some(session) = &mut self.session {
            self.counts.add_audio(session.take_audio_counts());
        }
        self.counts
    }

    fn route_video(&mut self, unit: AccessUnit) -> Result<(), MediaError> {
        let (video, audio) = self.wanted.tracks();
        let Some(session) = &mut self.session else {
            return self.hold_video(unit);
        };
        if unit.keyframe && (!session.is_of(video, audio) || session.edit_is_short(&unit)) {
            let previous = self.end_session();
            self.held.video_bytes = unit.data.len();
            self.held.video = vec![unit];
            return self.start(previous);
        }
        if !session.takes_video(video) {
            self.counts.dropped_video += 1;
            return Ok(());
        }
        match session.video(unit.clone(), &mut self.out) {
            Ok(()) => Ok(()),
            Err(super::timeline::Jump) => {
                self.end_session();
                self.hold_video(unit)
            }
        }
    }

    fn hold_video(&mut self, unit: AccessUnit) -> Result<(), MediaError> {
        if self.held.video.is_empty() && !unit.keyframe {
            self.counts.dropped_video += 1;
            return Ok(());
        }
        let now = unit.dts;
        self.held.video_bytes += unit.data.len();
        self.held.video.push(unit);
        self.try_start(now)
    }

    fn try_start(&mut self, now: Nanos) -> Result<(), MediaError> {
        let video_waited = Held::waited(self.held.video.first(), now);
        let audio_waited = Held::waited(self.held.audio.front(), now);
        let ready = match video_waited {
            Some(waited) => {
                self.wanted.audio.is_some()
                    || !self.wanted.expect_audio
                    || waited >= CONFIG_WAIT
                    || self.held.is_full()
            }
            None if !self.wanted.expect_video => true,
            None => {
                let limit = if self.wanted.video_config.is_some() {
                    KEYFRAME_WAIT
                } else {
                    CONFIG_WAIT
                };
                audio_waited.is_some_and(|waited| waited >= limit)
            }
        };
        if ready { self.start(None) } else { Ok(()) }
    }

    /// Begins with what is held.
    fn start(&mut self, previous: Option<Session>) -> Result<(), MediaError> {
        let held = std::mem::take(&mut self.held);
        let (video, audio) = self.wanted.tracks();
        let video = video.zip(held.video.first());
        if video.is_none() && audio.is_none() {
            return Ok(());
        }
        self.session = Some(Session::begin(video, audio, previous, &mut self.out)?);
        for unit in held.audio {
            self.replay_audio(unit);
        }
        for unit in held.video {
            self.route_video(unit)?;
        }
        Ok(())
    }

    fn replay_audio(&mut self, unit: AccessUnit) {
        let Some(session) = &mut self.session else {
            return;
        };
        // A time far from the first keyframe's belongs to a timeline that has ended.
        if session.audio(unit, &mut self.out).is_err() {
            self.counts.dropped_audio += 1;
        }
    }

    /// Puts out what is pending, and ends the session.
    fn end_session(&mut self) -> Option<Session> {
        let mut session = self.session.take()?;
        session.flush_audio(&mut self.out);
        self.counts.add_audio(session.take_audio_counts());
        Some(session)
    }
}

fn check(unit: &AccessUnit) -> Result<(), MediaError> {
    if unit.data.is_empty() {
        return Err(MediaError::Empty);
    }
    if unit.data.len() > MAX_ACCESS_UNIT {
        return Err(MediaError::TooLarge(unit.data.len()));
    }
    match unit.dts.max(unit.pts) {
        time if time > MAX_TIME => Err(MediaError::Time(time)),
        _ => Ok(()),
    }
}
