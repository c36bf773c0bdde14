//! ISO/IEC 14496-12 boxes: the init segment and the fragment.
//!
//! ```text
//! ftyp                                     moof
//! moov                                       mfhd
//!   mvhd                                     traf  video, one sample
//!   trak  video, track 1, 90 kHz               tfhd tfdt trun
//!     tkhd  edts/elst (B-frames only)        traf  audio, some frames
//!     mdia  mdhd hdlr                          tfhd tfdt trun
//!       minf  vmhd dinf/dref               mdat
//!         stbl  stsd/avc1/avcC               the video sample, then the audio frames
//!               stts stsc stsz stco
//!   trak  audio, track 2, its sample rate
//!     (the same with smhd, stsd/mp4a/esds)
//!   mvex  trex trex
//! ```
//!
//! Leaf boxes of the init segment are `mp4-atom`'s. The sample entries are written here, because
//! avcC and AudioSpecificConfig must stand in them byte for byte as the encoder made them.

use bytes::{BufMut, Bytes};
use mp4_atom as mp4;
use mp4_atom::Encode;

use super::codec::Aac;
use super::error::MediaError;

/// Ticks a second of the video track.
pub(crate) const VIDEO_TIMESCALE: u32 = 90_000;
const VIDEO_TRACK: u32 = 1;
const AUDIO_TRACK: u32 = 2;

/// sample_flags (8.8.3.1) of a sample that depends on no other.
const SYNC: u32 = 0x0200_0000;
/// sample_flags of one that depends on others and is not a sync sample.
const DELTA: u32 = 0x0101_0000;

/// The video track of an init segment.
#[derive(Clone, Debug)]
pub(crate) struct VideoTrack<'a> {
    pub(crate) avcc: &'a [u8],
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// The edit list's media_time, in ticks; 0 for no edit list.
    pub(crate) edit: u64,
}

/// The audio track of an init segment.
#[derive(Clone, Debug)]
pub(crate) struct AudioTrack<'a> {
    pub(crate) asc: &'a [u8],
    pub(crate) aac: &'a Aac,
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
        compatible_brands: vec![
            b"iso6".into(),
            b"isom".into(),
            b"avc1".into(),
            b"mp41".into(),
        ],
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
                trex(AUDIO_TRACK, track.aac.frame_samples, SYNC).encode(out)?;
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
        width: track.width.into(),
        height: track.height.into(),
        ..Default::default()
    }
    .encode(out)?;
    if track.edit > 0 {
        boxed(out, b"edts", |out| {
            mp4::Elst {
                entries: vec![mp4::ElstEntry {
                    segment_duration: 0,
                    media_time: Some(track.edit),
                    media_rate: 1.into(),
                }],
            }
            .encode(out)
        })?;
    }
    mdia(out, VIDEO_TIMESCALE, b"vide", |out| {
        mp4::Vmhd::default().encode(out)?;
        dinf(out)?;
        stbl(out, b"avc1", |out| {
            mp4::Visual {
                data_reference_index: 1,
                width: track.width,
                height: track.height,
                ..Default::default()
            }
            .encode(out)?;
            boxed(out, b"avcC", |out| {
                out.put_slice(track.avcc);
                Ok(())
            })
        })
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
    mdia(out, track.aac.core_rate, b"soun", |out| {
        mp4::Smhd::default().encode(out)?;
        dinf(out)?;
        stbl(out, b"mp4a", |out| {
            mp4::Audio {
                data_reference_index: 1,
                channel_count: u16::from(track.aac.channels),
                sample_size: 16,
                // 16.16 has no room for more than 65535 Hz; 0 then, and the ASC tells.
                sample_rate: u16::try_from(track.aac.sample_rate).unwrap_or(0).into(),
            }
            .encode(out)?;
            esds(out, track.asc)
        })
    })
}

/// ISO/IEC 14496-14, 5.6, with the descriptors of ISO/IEC 14496-1, 7.2.6.
fn esds(out: &mut Vec<u8>, asc: &[u8]) -> Result<(), mp4::Error> {
    const DESCRIPTOR_HEADER: usize = 5;
    const AUDIO_ISO_14496_3: u8 = 0x40;
    const AUDIO_STREAM: u8 = 0x05 << 2 | 1;
    let specific = DESCRIPTOR_HEADER + asc.len();
    let config = DESCRIPTOR_HEADER + 13 + specific;
    boxed(out, b"esds", |out| {
        out.put_u32(0);
        descriptor(out, 0x03, 3 + config + DESCRIPTOR_HEADER + 1)?;
        out.put_u16(0);
        out.put_u8(0);
        descriptor(out, 0x04, 13 + specific)?;
        out.put_u8(AUDIO_ISO_14496_3);
        out.put_u8(AUDIO_STREAM);
        out.put_bytes(0, 3 + 4 + 4);
        descriptor(out, 0x05, asc.len())?;
        out.put_slice(asc);
        descriptor(out, 0x06, 1)?;
        out.put_u8(2);
        Ok(())
    })
}

/// A descriptor's tag and size, the size always in four bytes of seven bits.
fn descriptor(out: &mut Vec<u8>, tag: u8, size: usize) -> Result<(), mp4::Error> {
    let size = u32::try_from(size)
        .ok()
        .filter(|size| *size < 1 << 28)
        .ok_or(mp4::Error::InvalidSize)?;
    out.put_u8(tag);
    for shift in [21, 14, 7, 0] {
        let more = if shift == 0 { 0 } else { 0x80 };
        out.put_u8((size >> shift & 0x7f) as u8 | more);
    }
    Ok(())
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
    entry_kind: &[u8; 4],
    entry: impl FnOnce(&mut Vec<u8>) -> Result<(), mp4::Error>,
) -> Result<(), mp4::Error> {
    boxed(out, b"stbl", |out| {
        boxed(out, b"stsd", |out| {
            out.put_u32(0);
            out.put_u32(1);
            boxed(out, entry_kind, entry)
        })?;
        mp4::Stts::default().encode(out)?;
        mp4::Stsc::default().encode(out)?;
        mp4::Stsz::default().encode(out)?;
        mp4::Stco::default().encode(out)
    })
}

/// Writes a box: its size and kind, then what `content` writes.
fn boxed(
    out: &mut Vec<u8>,
    kind: &[u8; 4],
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), mp4::Error>,
) -> Result<(), mp4::Error> {
    let start = open(out, kind);
    content(out)?;
    close(out, start);
    Ok(())
}

/// Begins a box, and returns where.
fn open(out: &mut Vec<u8>, kind: &[u8; 4]) -> usize {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(kind);
    start
}

/// Ends the box that began at `start`: only now is its size known.
fn close(out: &mut [u8], start: usize) {
    // No box here comes near 4 GiB: access units are bounded, and an init segment is small.
    put_at(out, start, out.len() - start);
}

fn put_at(out: &mut [u8], at: usize, value: usize) {
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&(value as u32).to_be_bytes());
    }
}

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
    pub(crate) frames: &'a [Bytes],
}

/// Writes `moof` + `mdat`; nothing stands before the `moof`.
pub(crate) fn fragment(
    sequence: u32,
    video: Option<&VideoSample>,
    audio: Option<AudioRun<'_>>,
) -> Bytes {
    let video_bytes = video.map_or(0, |sample| sample.data.len());
    let audio_frames = audio.map_or(&[][..], |run| run.frames);
    let audio_bytes: usize = audio_frames.iter().map(Bytes::len).sum();
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
            out.put_slice(frame);
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
    // data-offset and sample-size are present.
    out.put_u32(0x201);
    out.put_u32(run.frames.len() as u32);
    let offset = out.len();
    out.put_u32(0);
    for frame in run.frames {
        out.put_u32(frame.len() as u32);
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
