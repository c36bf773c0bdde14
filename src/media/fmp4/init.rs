//! The init segment.

use bytes::{BufMut, Bytes};
use mp4_atom as mp4;
use mp4_atom::Encode;

use super::super::error::MediaError;
use super::super::setup::{AudioSetup, Coding, VideoSetup};
use super::boxes::boxed;
use super::entry;
use super::{AUDIO_TRACK, DELTA, SYNC, VIDEO_TIMESCALE, VIDEO_TRACK};

/// The video track of an init segment.
#[derive(Clone, Debug)]
pub(crate) struct VideoTrack<'a> {
    pub(crate) setup: &'a VideoSetup,
    /// The edit list's media_time, in ticks; 0 for no edit list.
    pub(crate) edit: u64,
}

/// The audio track of an init segment.
#[derive(Clone, Debug)]
pub(crate) struct AudioTrack<'a> {
    pub(crate) setup: &'a AudioSetup,
}

/// Writes `ftyp` + `moov`.
///
/// # Errors
/// [`MediaError::Box`] when the box crate refuses a value.
pub(crate) fn init(
    video: Option<&VideoTrack<'_>>,
    audio: Option<&AudioTrack<'_>>,
) -> Result<Bytes, MediaError> {
    write_init(video, audio).map_err(|error| MediaError::Box(error.to_string()))
}

fn write_init(
    video: Option<&VideoTrack<'_>>,
    audio: Option<&AudioTrack<'_>>,
) -> Result<Bytes, mp4::Error> {
    let mut out = Vec::with_capacity(2048);
    mp4::Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 0,
        compatible_brands: brands(video),
    }
    .encode(&mut out)?;
    boxed(&mut out, b"moov", |out| {
        mp4::Mvhd {
            creation_time: 0,
            modification_time: 0,
            timescale: 1000,
            duration: 0,
            rate: 1.into(),
            volume: 1.into(),
            matrix: mp4::Matrix::default(),
            next_track_id: AUDIO_TRACK + 1,
        }
        .encode(out)?;
        if let Some(track) = video {
            boxed(out, b"trak", |out| video_trak(out, track))?;
        }
        if let Some(track) = audio {
            boxed(out, b"trak", |out| audio_trak(out, track))?;
        }
        boxed(out, b"mvex", |out| {
            if video.is_some() {
                trex(VIDEO_TRACK, 0, DELTA).encode(out)?;
            }
            if let Some(track) = audio {
                trex(AUDIO_TRACK, track.setup.frame_samples(), SYNC).encode(out)?;
            }
            Ok(())
        })
    })?;
    Ok(Bytes::from(out))
}

fn trex(track_id: u32, duration: u32, flags: u32) -> mp4::Trex {
    mp4::Trex {
        track_id,
        default_sample_description_index: 1,
        default_sample_duration: duration,
        default_sample_size: 0,
        default_sample_flags: flags,
    }
}

fn video_trak(out: &mut Vec<u8>, track: &VideoTrack<'_>) -> Result<(), mp4::Error> {
    mp4::Tkhd {
        track_id: VIDEO_TRACK,
        enabled: true,
        in_movie: true,
        width: track.setup.config.width.into(),
        height: track.setup.config.height.into(),
        ..Default::default()
    }
    .encode(out)?;
    edts(out, track.edit)?;
    mdia(out, VIDEO_TIMESCALE, b"vide", |out| {
        mp4::Vmhd::default().encode(out)?;
        dinf(out)?;
        stbl(out, |out| entry::video(out, track))
    })
}

fn audio_trak(out: &mut Vec<u8>, track: &AudioTrack<'_>) -> Result<(), mp4::Error> {
    mp4::Tkhd {
        track_id: AUDIO_TRACK,
        alternate_group: 1,
        enabled: true,
        in_movie: true,
        volume: 1.into(),
        ..Default::default()
    }
    .encode(out)?;
    edts(out, track.setup.pre_skip())?;
    mdia(out, track.setup.timescale(), b"soun", |out| {
        mp4::Smhd::default().encode(out)?;
        dinf(out)?;
        stbl(out, |out| entry::audio(out, track.setup))
    })
}

/// An edit list that presentation begins with `media_time`; none for 0.
fn edts(out: &mut Vec<u8>, media_time: u64) -> Result<(), mp4::Error> {
    if media_time == 0 {
        return Ok(());
    }
    boxed(out, b"edts", |out| {
        mp4::Elst {
            entries: vec![mp4::ElstEntry {
                segment_duration: 0,
                media_time: Some(media_time),
                media_rate: 1.into(),
            }],
        }
        .encode(out)
    })
}

/// H.264's brand stands for MP4 without video too, as it always has; AV1 asks for its own (AV1 Codec
/// ISO Media File Format Binding, 2.1).
fn brands(video: Option<&VideoTrack<'_>>) -> Vec<mp4::FourCC> {
    let codec = video.map(|track| &track.setup.coding);
    let own = match codec {
        None | Some(Coding::Avc(..)) => b"avc1",
        Some(Coding::Hevc(..)) => b"hvc1",
        Some(Coding::Av1(_)) => b"av01",
    };
    vec![b"iso6".into(), b"isom".into(), own.into(), b"mp41".into()]
}

fn mdia(
    out: &mut Vec<u8>,
    timescale: u32,
    handler: &[u8; 4],
    media: impl FnOnce(&mut Vec<u8>) -> Result<(), mp4::Error>,
) -> Result<(), mp4::Error> {
    boxed(out, b"mdia", |out| {
        mp4::Mdhd {
            timescale,
            language: "und".into(),
            ..Default::default()
        }
        .encode(out)?;
        mp4::Hdlr {
            handler: handler.into(),
            name: "h5live".into(),
        }
        .encode(out)?;
        boxed(out, b"minf", media)
    })
}

fn dinf(out: &mut Vec<u8>) -> Result<(), mp4::Error> {
    mp4::Dinf {
        dref: mp4::Dref {
            entries: vec![mp4::Url::default().into()],
        },
    }
    .encode(out)
}

fn stbl(
    out: &mut Vec<u8>,
    entry: impl FnOnce(&mut Vec<u8>) -> Result<(), mp4::Error>,
) -> Result<(), mp4::Error> {
    boxed(out, b"stbl", |out| {
        boxed(out, b"stsd", |out| {
            out.put_u32(0);
            out.put_u32(1);
            entry(out)
        })?;
        mp4::Stts::default().encode(out)?;
        mp4::Stsc::default().encode(out)?;
        mp4::Stsz::default().encode(out)?;
        mp4::Stco::default().encode(out)
    })
}
