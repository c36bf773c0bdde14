//! The state machine from access units to init segments and fragments.

use std::collections::VecDeque;

use super::audio::AudioTrack;
use super::codec::{Aac, Avc, nal_units_fit, parse_asc, parse_avcc};
use super::error::{MAX_ACCESS_UNIT, MAX_TIME, MediaError};
use super::fmp4::{self, AudioRun, VIDEO_TIMESCALE, VideoSample};
use super::fragment::{
    AccessUnit, AudioConfig, AudioInfo, Fragment, Init, Output, StreamInfo, VideoConfig, VideoInfo,
};
use super::timeline::{VideoTimeline, millis};

/// Makes fragmented MP4 of access units; see the module's documentation.
#[derive(Debug)]
pub struct Muxer {
    expect_video: bool,
    expect_audio: bool,
    video: Option<(VideoConfig, Avc)>,
    audio: Option<(AudioConfig, Aac)>,
    session: Option<Session>,
    sequence: u32,
    out: VecDeque<Output>,
}

#[derive(Debug)]
struct Session {
    video: Option<VideoTimeline>,
    audio: Option<AudioTrack>,
    stale: bool,
}

impl Muxer {
    /// A muxer that expects these tracks.
    pub fn new(video: bool, audio: bool) -> Self {
        Self {
            expect_video: video,
            expect_audio: audio,
            video: None,
            audio: None,
            session: None,
            sequence: 0,
            out: VecDeque::new(),
        }
    }

    /// Says whether a video track is to come (a pad came, went, or ended).
    pub fn expect_video(&mut self, expected: bool) {
        self.expect_video = expected;
    }

    /// Says whether an audio track is to come.
    pub fn expect_audio(&mut self, expected: bool) {
        self.expect_audio = expected;
    }

    /// Sets the video's configuration; a change makes a new init segment at the next keyframe.
    ///
    /// # Errors
    /// [`MediaError::Avcc`] or [`MediaError::NoPictureSize`]; the configuration before stays.
    pub fn set_video(&mut self, config: VideoConfig) -> Result<(), MediaError> {
        let avc = parse_avcc(&config.avcc)?;
        if config.width == 0 || config.height == 0 {
            return Err(MediaError::NoPictureSize);
        }
        let changed = self.video.as_ref().is_none_or(|(old, _)| *old != config);
        self.video = Some((config, avc));
        self.expect_video = true;
        self.mark(changed);
        Ok(())
    }

    /// Sets the audio's configuration.
    ///
    /// # Errors
    /// [`MediaError::Asc`] or [`MediaError::UnsupportedAudio`]; the configuration before stays.
    pub fn set_audio(&mut self, config: AudioConfig) -> Result<(), MediaError> {
        let aac = parse_asc(&config.asc)?;
        let changed = self.audio.as_ref().is_none_or(|(old, _)| *old != config);
        self.audio = Some((config, aac));
        self.expect_audio = true;
        self.mark(changed);
        Ok(())
    }

    fn mark(&mut self, changed: bool) {
        if let Some(session) = &mut self.session {
            session.stale |= changed;
        }
    }

    /// Takes a picture.
    ///
    /// # Errors
    /// When this access unit cannot be used; it alone is lost.
    pub fn push_video(&mut self, unit: AccessUnit) -> Result<(), MediaError> {
        check(&unit)?;
        let (_, avc) = self.video.as_ref().ok_or(MediaError::NoConfig("video"))?;
        if !nal_units_fit(&unit.data, avc.length_size) {
            return Err(MediaError::NalUnits);
        }
        if unit.keyframe
            && self
                .session
                .as_ref()
                .is_none_or(|session| session.stale || session.video.is_none())
        {
            self.start(Some(&unit))?;
        }
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        let Some(timeline) = &mut session.video else {
            return Ok(());
        };
        let Ok(placed) = timeline.place(&unit) else {
            self.session = None;
            if unit.keyframe {
                return self.push_video(unit);
            }
            return Ok(());
        };
        let sample = VideoSample {
            tfdt: placed.tfdt as u64,
            duration: placed.duration as u32,
            composition_offset: placed.composition_offset as u32,
            keyframe: unit.keyframe,
            data: unit.data,
        };
        let time_ms = millis(placed.presentation.min(placed.tfdt), VIDEO_TIMESCALE);
        let audio = session
            .audio
            .as_mut()
            .map(AudioTrack::take)
            .filter(|(_, frames)| !frames.is_empty());
        self.sequence = self.sequence.wrapping_add(1);
        let run = audio.as_ref().map(|(start, frames)| AudioRun {
            tfdt: *start as u64,
            frames,
        });
        let bytes = fmp4::fragment(self.sequence, Some(&sample), run);
        self.out.push_back(Output::Fragment(Fragment {
            bytes,
            random_access: sample.keyframe,
            time_ms,
        }));
        Ok(())
    }

    /// Takes a frame of sound.
    ///
    /// # Errors
    /// When this access unit cannot be used; it alone is lost.
    pub fn push_audio(&mut self, unit: AccessUnit) -> Result<(), MediaError> {
        check(&unit)?;
        if self.audio.is_none() {
            return Err(MediaError::NoConfig("audio"));
        }
        if self.session.is_none() && !self.expect_video {
            self.start(None)?;
        }
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        let alone = session.video.is_none();
        let Some(audio) = &mut session.audio else {
            return Ok(());
        };
        audio.push(unit);
        if (alone && (audio.frames() >= 4 || audio.span_ms() >= 90)) || audio.span_ms() > 250 {
            self.flush_audio(alone);
        }
        Ok(())
    }

    fn flush_audio(&mut self, random_access: bool) {
        let Some(audio) = self
            .session
            .as_mut()
            .and_then(|session| session.audio.as_mut())
        else {
            return;
        };
        let (start, frames) = audio.take();
        if frames.is_empty() {
            return;
        }
        let rate = audio.aac.core_rate;
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = fmp4::fragment(
            self.sequence,
            None,
            Some(AudioRun {
                tfdt: start as u64,
                frames: &frames,
            }),
        );
        self.out.push_back(Output::Fragment(Fragment {
            bytes,
            random_access,
            time_ms: millis(start, rate),
        }));
    }

    fn start(&mut self, keyframe: Option<&AccessUnit>) -> Result<(), MediaError> {
        let video = self.video.as_ref().filter(|_| keyframe.is_some());
        let timeline = keyframe
            .map(|unit| VideoTimeline::new(unit, video.and_then(|(config, _)| config.frame_rate)));
        let bytes = fmp4::init(
            video
                .map(|(config, _)| fmp4::VideoTrack {
                    avcc: &config.avcc,
                    width: config.width,
                    height: config.height,
                    edit: timeline.as_ref().map_or(0, VideoTimeline::edit) as u64,
                })
                .as_ref(),
            self.audio
                .as_ref()
                .map(|(config, aac)| fmp4::AudioTrack {
                    asc: &config.asc,
                    aac,
                })
                .as_ref(),
        )?;
        let mut codecs = Vec::new();
        if let Some((_, avc)) = video {
            codecs.push(avc.codec.as_str());
        }
        if let Some((_, aac)) = &self.audio {
            codecs.push(aac.codec.as_str());
        }
        let kind = if video.is_some() { "video" } else { "audio" };
        let info = StreamInfo {
            mime_type: format!("{kind}/mp4; codecs=\"{}\"", codecs.join(", ")),
            video: video.map(|(config, _)| VideoInfo {
                width: config.width,
                height: config.height,
                frame_rate: config
                    .frame_rate
                    .filter(|(_, seconds)| *seconds > 0)
                    .map_or(0.0, |(frames, seconds)| {
                        f64::from(frames) / f64::from(seconds)
                    }),
            }),
            audio: self.audio.as_ref().map(|(_, aac)| AudioInfo {
                sample_rate: aac.sample_rate,
                channels: aac.channels,
            }),
        };
        self.out.push_back(Output::Init(Init {
            bytes,
            info,
            continues: false,
        }));
        self.session = Some(Session {
            video: timeline,
            audio: self
                .audio
                .as_ref()
                .map(|(_, aac)| AudioTrack::new(aac.clone())),
            stale: false,
        });
        Ok(())
    }

    /// Forgets the timeline (a flush); the next output begins with an init segment that does not
    /// continue the one before.
    pub fn discontinuity(&mut self) {
        self.session = None;
    }

    /// Sends what is pending: the stream has ended.
    pub fn finish(&mut self) {
        self.flush_audio(false);
    }

    /// The next output, in order.
    pub fn pop(&mut self) -> Option<Output> {
        self.out.pop_front()
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
