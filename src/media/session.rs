//! What runs between one init segment and the next: the tracks, and how their frames are bundled.

use std::collections::VecDeque;

use super::audio::{AudioTrack, Taken};
use super::error::MediaError;
use super::fmp4::{self, AudioRun, VIDEO_TIMESCALE, VideoSample};
use super::fragment::{AccessUnit, AudioInfo, Fragment, Init, Output, Span, StreamInfo, VideoInfo};
use super::setup::{AudioSetup, VideoSetup};
use super::timeline::{Jump, VideoTimeline, millis};

/// Audio alone goes out when it has so many frames
const GROUP_FRAMES: usize = 4;
/// or would last longer than this with one more.
const GROUP_MS: u64 = 80;
/// Audio that waits for a video frame goes out alone after this.
const STALLED_MS: u64 = 250;
/// A player may start at audio alone about once in so many milliseconds.
const AUDIO_ACCESS_MS: u64 = 1000;
/// Where outputs wait to be taken.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) queue: VecDeque<Output>,
    sequence: u32,
}

impl Outbox {
    fn fragment(
        &mut self,
        video: Option<&VideoSample>,
        audio: Option<AudioRun<'_>>,
        random_access: bool,
        time_ms: u64,
        span: Span,
    ) {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = fmp4::fragment(self.sequence, video, audio);
        self.queue.push_back(Output::Fragment(Fragment {
            bytes,
            random_access,
            time_ms,
            span,
        }));
    }
}

#[derive(Debug)]
struct VideoTrack {
    setup: VideoSetup,
    timeline: VideoTimeline,
}

/// The tracks of one init segment.
#[derive(Debug)]
pub(crate) struct Session {
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    /// Whether a picture has gone out.
    shown: bool,
    next_audio_access_ms: Option<u64>,
}

impl Session {
    /// Begins with `keyframe`, where there is video; goes on from `previous` where its tracks and
    /// timeline allow it. Puts out the init segment.
    ///
    /// # Errors
    /// [`MediaError::Box`] when the init segment cannot be written.
    pub(crate) fn begin(
        video: Option<(&VideoSetup, &AccessUnit)>,
        audio: Option<&AudioSetup>,
        previous: Option<Session>,
        out: &mut Outbox,
    ) -> Result<Self, MediaError> {
        let previous = previous.filter(|previous| {
            let (old_video, old_audio) = (&previous.video, &previous.audio);
            let same_video = match (old_video, video) {
                (Some(old), Some((setup, _))) => old.setup.same_codec(setup),
                (old, new) => old.is_some() == new.is_some(),
            };
            let same_audio = match (old_audio, audio) {
                (Some(old), Some(setup)) => old.setup.same_codec(setup),
                (old, new) => old.is_some() == new.is_some(),
            };
            same_video && same_audio && !previous.jumps(video.map(|(_, keyframe)| keyframe))
        });
        let continues = previous.is_some();
        let (old_video, old_audio) = match previous {
            Some(previous) => (previous.video, previous.audio),
            None => (None, None),
        };
        let video_track = video.map(|(setup, keyframe)| {
            let frame_rate = setup.config.frame_rate;
            let timeline = match old_video {
                Some(VideoTrack { mut timeline, .. }) => {
                    timeline.set_frame_rate(frame_rate);
                    timeline.raise_edit(keyframe);
                    timeline
                }
                None => VideoTimeline::new(keyframe, frame_rate),
            };
            VideoTrack {
                setup: setup.clone(),
                timeline,
            }
        });
        let audio_track = audio.map(|setup| match old_audio {
            Some(track) if track.setup == *setup => track,
            Some(track) => track.reconfigured(setup.clone()),
            None => AudioTrack::new(setup.clone(), video.map(|(_, keyframe)| keyframe.pts)),
        });
        let session = Self {
            video: video_track,
            audio: audio_track,
            shown: false,
            next_audio_access_ms: None,
        };
        let init = session.init(continues)?;
        out.queue.push_back(Output::Init(init));
        Ok(session)
    }

    fn jumps(&self, keyframe: Option<&AccessUnit>) -> bool {
        match (&self.video, keyframe) {
            (Some(video), Some(keyframe)) => video.timeline.jumps(keyframe),
            _ => false,
        }
    }

    fn init(&self, continues: bool) -> Result<Init, MediaError> {
        let video = self.video.as_ref().map(|track| fmp4::VideoTrack {
            setup: &track.setup,
            edit: unsigned(track.timeline.edit()),
        });
        let audio = self.audio.as_ref().map(|track| fmp4::AudioTrack {
            setup: &track.setup,
        });
        Ok(Init {
            bytes: fmp4::init(video.as_ref(), audio.as_ref())?,
            info: self.info(),
            continues,
        })
    }

    fn info(&self) -> StreamInfo {
        let video = self.video.as_ref().map(|track| &track.setup);
        let audio = self.audio.as_ref().map(|track| &track.setup);
        let codecs: Vec<&str> = video
            .map(|setup| setup.codec())
            .into_iter()
            .chain(audio.map(AudioSetup::codec))
            .collect();
        let kind = if video.is_some() { "video" } else { "audio" };
        StreamInfo {
            mime_type: format!("{kind}/mp4; codecs=\"{}\"", codecs.join(", ")),
            video: video.map(|setup| VideoInfo {
                width: setup.config.width,
                height: setup.config.height,
                frame_rate: setup
                    .config
                    .frame_rate
                    .filter(|(_, seconds)| *seconds > 0)
                    .map_or(0.0, |(frames, seconds)| {
                        f64::from(frames) / f64::from(seconds)
                    }),
            }),
            audio: audio.map(|setup| AudioInfo {
                sample_rate: setup.sample_rate(),
                channels: setup.channels(),
            }),
        }
    }

    /// Whether the init segment has these tracks in these configurations.
    pub(crate) fn is_of(&self, video: Option<&VideoSetup>, audio: Option<&AudioSetup>) -> bool {
        self.takes_video(video) && self.takes_audio(audio)
    }

    /// Whether frames of this configuration (none: no video) can be decoded by the init segment.
    pub(crate) fn takes_video(&self, wanted: Option<&VideoSetup>) -> bool {
        match (&self.video, wanted) {
            (Some(track), Some(wanted)) => track.setup.same_init(wanted),
            (None, None) => true,
            _ => false,
        }
    }

    /// The same for audio.
    pub(crate) fn takes_audio(&self, wanted: Option<&AudioSetup>) -> bool {
        self.audio.as_ref().map(|track| &track.setup) == wanted
    }

    /// Whether it has a video track.
    pub(crate) fn has_video(&self) -> bool {
        self.video.is_some()
    }

    /// Whether this keyframe needs another edit list than the init segment has.
    pub(crate) fn edit_is_short(&self, keyframe: &AccessUnit) -> bool {
        self.video
            .as_ref()
            .is_some_and(|track| track.timeline.edit_is_short(keyframe))
    }

    /// Takes another frame rate for the same pictures.
    pub(crate) fn set_frame_rate(&mut self, frame_rate: Option<(u32, u32)>) {
        if let Some(track) = &mut self.video {
            track.timeline.set_frame_rate(frame_rate);
        }
    }

    /// Frames of audio dropped, and silent frames made, since the last call.
    pub(crate) fn take_audio_counts(&mut self) -> (u64, u64) {
        self.audio.as_mut().map_or((0, 0), |track| {
            (
                std::mem::take(&mut track.dropped),
                std::mem::take(&mut track.silent_frames),
            )
        })
    }

    /// Puts out a picture, with the audio that is due.
    ///
    /// # Errors
    /// [`Jump`] when a new timeline must begin; nothing is put out then.
    pub(crate) fn video(&mut self, unit: AccessUnit, out: &mut Outbox) -> Result<(), Jump> {
        let Some(track) = &mut self.video else {
            return Ok(());
        };
        let placed = track.timeline.place(&unit)?;
        let audio = self.audio.as_mut().and_then(|audio| {
            audio.follow(unit.dts);
            let (start, frames) = audio.take()?;
            Some((audio.run_start(start), frames, audio.setup.frame_samples()))
        });
        let sample = VideoSample {
            tfdt: unsigned(placed.tfdt),
            duration: narrow(placed.duration),
            composition_offset: narrow(placed.composition_offset),
            keyframe: unit.keyframe,
            data: unit.data,
        };
        let run = audio.as_ref().map(|(tfdt, frames, usual)| AudioRun {
            tfdt: *tfdt,
            frames,
            usual_samples: *usual,
        });
        // A decode time before the presentation time is negative for a player that starts here;
        // Chromium takes it (tests/media_chromium.rs).
        let time_ms = millis(placed.presentation, VIDEO_TIMESCALE);
        let span = Span {
            start: sample.tfdt,
            duration: sample.duration.into(),
        };
        out.fragment(Some(&sample), run, unit.keyframe, time_ms, span);
        self.shown = true;
        Ok(())
    }

    /// Takes a frame of audio, which goes out with the next picture, or in a small group.
    ///
    /// # Errors
    /// The unit itself, when its time is out of all relation to the frame's before.
    pub(crate) fn audio(&mut self, unit: AccessUnit, out: &mut Outbox) -> Result<(), AccessUnit> {
        let Some(track) = &mut self.audio else {
            return Ok(());
        };
        if let Taken::Jump(unit) = track.push(unit) {
            return Err(unit);
        }
        let due = if self.video.is_some() {
            // Behind an init segment a player must be able to start, so the keyframe comes first.
            self.shown && track.pending_ms() > STALLED_MS
        } else {
            track.pending() >= GROUP_FRAMES || track.pending_ms() > GROUP_MS
        };
        if due {
            self.flush_audio(out);
        }
        Ok(())
    }

    /// Puts out the pending audio alone.
    pub(crate) fn flush_audio(&mut self, out: &mut Outbox) {
        let alone = self.video.is_none();
        let Some(track) = &mut self.audio else {
            return;
        };
        let Some((start, frames)) = track.take() else {
            return;
        };
        let time_ms = millis(start, track.setup.timescale());
        let random_access = alone && self.next_audio_access_ms.is_none_or(|next| time_ms >= next);
        if random_access {
            self.next_audio_access_ms = Some(time_ms.saturating_add(AUDIO_ACCESS_MS));
        }
        let run = AudioRun {
            tfdt: track.run_start(start),
            frames: &frames,
            usual_samples: track.setup.frame_samples(),
        };
        let samples = frames.iter().map(|frame| u64::from(frame.samples)).sum();
        let span = track.setup.span(run.tfdt, samples);
        out.fragment(None, Some(run), random_access, time_ms, span);
    }
}

/// A time is not negative: sources' times are not, and the edit only adds.
fn unsigned(ticks: i64) -> u64 {
    u64::try_from(ticks).unwrap_or(0)
}

/// Durations and offsets are bounded by seconds.
fn narrow(ticks: i64) -> u32 {
    u32::try_from(ticks).unwrap_or(u32::MAX)
}
