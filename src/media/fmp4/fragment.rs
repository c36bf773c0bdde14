//! The fragment.

use bytes::{BufMut, Bytes};

use super::boxes::{close, open, put_at};
use super::{AUDIO_TRACK, DELTA, SYNC, VIDEO_TRACK};

/// One video sample of a fragment; times in ticks of [`VIDEO_TIMESCALE`].
#[derive(Clone, Debug)]
pub(crate) struct VideoSample {
    pub(crate) tfdt: u64,
    pub(crate) duration: u32,
    pub(crate) composition_offset: u32,
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

/// Audio frames of a fragment, without a gap between them; times in ticks of the audio track.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AudioRun<'a> {
    pub(crate) tfdt: u64,
    pub(crate) frames: &'a [AudioFrame],
    /// What the init segment says that a frame lasts.
    pub(crate) usual_samples: u32,
}

/// A frame of audio; its duration in ticks of the audio track.
#[derive(Clone, Debug)]
pub(crate) struct AudioFrame {
    pub(crate) data: Bytes,
    pub(crate) samples: u32,
}

/// Writes `moof` + `mdat`; nothing stands before the `moof`.
pub(crate) fn fragment(
    sequence: u32,
    video: Option<&VideoSample>,
    audio: Option<AudioRun<'_>>,
) -> Bytes {
    let video_bytes = video.map_or(0, |sample| sample.data.len());
    let audio_frames = audio.map_or(&[][..], |run| run.frames);
    let audio_bytes: usize = audio_frames.iter().map(|frame| frame.data.len()).sum();
    let mut out = Vec::with_capacity(256 + 4 * audio_frames.len() + video_bytes + audio_bytes);
    let moof = open(&mut out, b"moof");
    let mfhd = open(&mut out, b"mfhd");
    out.put_u32(0);
    out.put_u32(sequence);
    close(&mut out, mfhd);
    let video_offset = video.map(|sample| video_traf(&mut out, sample));
    let audio_offset = audio.map(|run| audio_traf(&mut out, run));
    close(&mut out, moof);

    let mdat = open(&mut out, b"mdat");
    if let (Some(at), Some(sample)) = (video_offset, video) {
        let here = out.len();
        put_at(&mut out, at, here - moof);
        out.put_slice(&sample.data);
    }
    if let (Some(at), Some(run)) = (audio_offset, audio) {
        let here = out.len();
        put_at(&mut out, at, here - moof);
        for frame in run.frames {
            out.put_slice(&frame.data);
        }
    }
    close(&mut out, mdat);
    Bytes::from(out)
}

const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;

/// Writes the video's traf, and returns where its data_offset stands.
fn video_traf(out: &mut Vec<u8>, sample: &VideoSample) -> usize {
    let traf = open(out, b"traf");
    let tfhd = open(out, b"tfhd");
    // default-sample-duration, -size and -flags are present.
    out.put_u32(DEFAULT_BASE_IS_MOOF | 0x38);
    out.put_u32(VIDEO_TRACK);
    out.put_u32(sample.duration);
    out.put_u32(sample.data.len() as u32);
    out.put_u32(if sample.keyframe { SYNC } else { DELTA });
    close(out, tfhd);
    tfdt(out, sample.tfdt);
    let trun = open(out, b"trun");
    // data-offset and sample-composition-time-offset are present.
    out.put_u32(0x801);
    out.put_u32(1);
    let offset = out.len();
    out.put_u32(0);
    out.put_u32(sample.composition_offset);
    close(out, trun);
    close(out, traf);
    offset
}

/// Writes the audio's traf, and returns where its data_offset stands.
fn audio_traf(out: &mut Vec<u8>, run: AudioRun<'_>) -> usize {
    let traf = open(out, b"traf");
    let tfhd = open(out, b"tfhd");
    out.put_u32(DEFAULT_BASE_IS_MOOF);
    out.put_u32(AUDIO_TRACK);
    close(out, tfhd);
    tfdt(out, run.tfdt);
    let trun = open(out, b"trun");
    // data-offset and sample-size are present, sample-duration where one is unusual.
    let usual = |frame: &AudioFrame| frame.samples == run.usual_samples;
    let timed = !run.frames.iter().all(usual);
    out.put_u32(if timed { 0x301 } else { 0x201 });
    out.put_u32(run.frames.len() as u32);
    let offset = out.len();
    out.put_u32(0);
    for frame in run.frames {
        if timed {
            out.put_u32(frame.samples);
        }
        out.put_u32(frame.data.len() as u32);
    }
    close(out, trun);
    close(out, traf);
    offset
}

fn tfdt(out: &mut Vec<u8>, time: u64) {
    let tfdt = open(out, b"tfdt");
    out.put_u32(1 << 24);
    out.put_u64(time);
    close(out, tfdt);
}
