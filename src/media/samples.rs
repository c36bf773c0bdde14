//! The muxer's output taken apart again, for doors that speak another format than MP4: tracks of an init
//! segment, samples of a fragment. Reads what `fmp4` writes, and nothing that it does not.

use bytes::{Buf, BufMut, Bytes};

use super::codec::aac::parse_asc;
use super::codec::opus;
use super::fragment::{AudioConfig, AudioInfo, VideoCodec, VideoConfig};

/// `sample_is_non_sync_sample` (ISO/IEC 14496-12, 8.8.3.1).
const NOT_SYNC: u32 = 0x0001_0000;
/// Bytes of a visual and of an audio sample entry before its boxes (12.1.3, 12.2.3).
const VISUAL_ENTRY: usize = 78;
const AUDIO_ENTRY: usize = 28;

/// Bytes that are no init segment, or no fragment, of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no fragmented MP4 of the muxer's")]
pub struct Unreadable;

/// A track of an init segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// By which its samples are known.
    pub id: u32,
    /// Ticks a second of its times.
    pub timescale: u32,
    /// Ticks of media before presentation begins: what an edit list takes off.
    pub edit: u64,
    /// What its samples are.
    pub format: Format,
    usual_duration: u32,
}

/// What a track's samples are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A picture each.
    Video(VideoConfig),
    /// A frame of sound each.
    Audio(AudioConfig, AudioInfo),
}

/// One sample of a fragment, its times in ticks of its track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// [`Track::id`].
    pub track: u32,
    /// Decode time.
    pub decode: u64,
    /// From its decode time to its presentation, before the edit list.
    pub composition_offset: u32,
    /// How long it lasts.
    pub duration: u32,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// The coded bytes, shared with the fragment.
    pub data: Bytes,
}

/// The tracks of an init segment.
///
/// # Errors
/// [`Unreadable`] where it is none.
pub fn tracks(init: &Bytes) -> Result<Vec<Track>, Unreadable> {
    let moov = one(init, b"moov")?;
    let usual: Vec<_> = each(&one(&moov, b"mvex")?, b"trex")?
        .iter()
        .map(usual_duration)
        .collect::<Result<_, _>>()?;
    each(&moov, b"trak")?
        .iter()
        .map(|trak| track(trak, &usual))
        .collect()
}

/// The samples of a fragment, track after track, each track's in decode order.
///
/// # Errors
/// [`Unreadable`] where it is none of these tracks.
pub fn samples(fragment: &Bytes, tracks: &[Track]) -> Result<Vec<Sample>, Unreadable> {
    let mut found = Vec::new();
    for traf in each(&one(fragment, b"moof")?, b"traf")? {
        run(fragment, &traf, tracks, &mut found)?;
    }
    Ok(found)
}

fn usual_duration(trex: &Bytes) -> Result<(u32, u32), Unreadable> {
    let mut trex = skip(trex, 4)?;
    let id = u32_of(&mut trex)?;
    let mut trex = skip(&trex, 4)?;
    Ok((id, u32_of(&mut trex)?))
}

fn track(trak: &Bytes, usual: &[(u32, u32)]) -> Result<Track, Unreadable> {
    let id = after_times(&one(trak, b"tkhd")?)?;
    let mdia = one(trak, b"mdia")?;
    let timescale = after_times(&one(&mdia, b"mdhd")?)?;
    let stbl = one(&one(&mdia, b"minf")?, b"stbl")?;
    let entries = skip(&one(&stbl, b"stsd")?, 8)?;
    let (kind, entry) = boxes(&entries)?.into_iter().next().ok_or(Unreadable)?;
    let usual = usual.iter().find(|(of, _)| *of == id).ok_or(Unreadable)?;
    Ok(Track {
        id,
        timescale: (timescale > 0).then_some(timescale).ok_or(Unreadable)?,
        edit: edit(trak)?,
        format: format(kind, &entry)?,
        usual_duration: usual.1,
    })
}

/// What stands behind creation and modification time, in `tkhd` and `mdhd` alike.
fn after_times(full: &Bytes) -> Result<u32, Unreadable> {
    let times = match full.first() {
        Some(0) => 8,
        Some(1) => 16,
        _ => return Err(Unreadable),
    };
    u32_of(&mut skip(full, 4 + times)?)
}

fn edit(trak: &Bytes) -> Result<u64, Unreadable> {
    let Ok(edts) = one(trak, b"edts") else {
        return Ok(0);
    };
    let elst = one(&edts, b"elst")?;
    let mut entry = skip(&elst, 8)?;
    Ok(match elst.first() {
        Some(0) => {
            entry = skip(&entry, 4)?;
            u32_of(&mut entry)?.into()
        }
        _ => {
            entry = skip(&entry, 8)?;
            u64_of(&mut entry)?
        }
    })
}

fn format(kind: [u8; 4], entry: &Bytes) -> Result<Format, Unreadable> {
    let codec = |record: &[u8; 4]| one(&skip(entry, VISUAL_ENTRY)?, record);
    let codec = match &kind {
        b"avc1" => VideoCodec::H264(codec(b"avcC")?),
        b"hvc1" => VideoCodec::H265(codec(b"hvcC")?),
        b"av01" => VideoCodec::Av1(Some(codec(b"av1C")?)),
        b"mp4a" => {
            let asc = asc(&one(&skip(entry, AUDIO_ENTRY)?, b"esds")?)?;
            let aac = parse_asc(&asc).map_err(|_| Unreadable)?;
            let info = AudioInfo {
                sample_rate: aac.sample_rate,
                channels: aac.channels,
            };
            return Ok(Format::Audio(AudioConfig::Aac(asc), info));
        }
        b"Opus" => {
            let head = opus_head(&one(&skip(entry, AUDIO_ENTRY)?, b"dOps")?)?;
            let info = AudioInfo {
                sample_rate: opus::RATE,
                channels: head.get(9).copied().ok_or(Unreadable)?,
            };
            return Ok(Format::Audio(AudioConfig::Opus(head), info));
        }
        _ => return Err(Unreadable),
    };
    let mut size = skip(entry, 24)?;
    Ok(Format::Video(VideoConfig {
        codec,
        width: u16_of(&mut size)?,
        height: u16_of(&mut size)?,
        frame_rate: None,
    }))
}

/// The AudioSpecificConfig within `esds` (ISO/IEC 14496-1, 7.2.6).
fn asc(esds: &Bytes) -> Result<Bytes, Unreadable> {
    let stream = descriptor(&skip(esds, 4)?, 0x03)?;
    let decoder = descriptor(&skip(&stream, 3)?, 0x04)?;
    descriptor(&skip(&decoder, 13)?, 0x05)
}

fn descriptor(bytes: &Bytes, tag: u8) -> Result<Bytes, Unreadable> {
    let mut bytes = bytes.clone();
    if bytes.try_get_u8().map_err(|_| Unreadable)? != tag {
        return Err(Unreadable);
    }
    let mut size = 0_usize;
    for _ in 0..4 {
        let part = bytes.try_get_u8().map_err(|_| Unreadable)?;
        size = size << 7 | usize::from(part & 0x7f);
        if part & 0x80 == 0 {
            break;
        }
    }
    take(&mut bytes, size)
}

/// The same header as Ogg's (RFC 7845, 5.1), whose numbers stand the other way round than those of `dOps`.
fn opus_head(dops: &Bytes) -> Result<Bytes, Unreadable> {
    let mut dops = skip(dops, 1)?;
    let mut head = Vec::with_capacity(19 + dops.len());
    head.put_slice(b"OpusHead\x01");
    head.put_u8(dops.try_get_u8().map_err(|_| Unreadable)?);
    head.put_u16_le(u16_of(&mut dops)?);
    head.put_u32_le(u32_of(&mut dops)?);
    head.put_u16_le(u16_of(&mut dops)?);
    head.put_slice(&dops);
    Ok(head.into())
}

fn run(
    fragment: &Bytes,
    traf: &Bytes,
    tracks: &[Track],
    found: &mut Vec<Sample>,
) -> Result<(), Unreadable> {
    let mut tfhd = one(traf, b"tfhd")?;
    let has = u32_of(&mut tfhd)?;
    let id = u32_of(&mut tfhd)?;
    let track = tracks.iter().find(|track| track.id == id);
    let track = track.ok_or(Unreadable)?;
    let mut usual = |flag: u32, other: u32| match has & flag {
        0 => Ok(other),
        _ => u32_of(&mut tfhd),
    };
    let usual_duration = usual(0x8, track.usual_duration)?;
    let usual_size = usual(0x10, 0)?;
    let flags = usual(0x20, 0)?;
    let mut decode = u64_of(&mut skip(&one(traf, b"tfdt")?, 4)?)?;

    let mut trun = one(traf, b"trun")?;
    let has = u32_of(&mut trun)?;
    let count = u32_of(&mut trun)?;
    if usize::try_from(count).map_or(true, |count| count > fragment.len()) {
        return Err(Unreadable);
    }
    let offset = usize::try_from(u32_of(&mut trun)?).map_err(|_| Unreadable)?;
    let mut data = skip(fragment, offset)?;
    for _ in 0..count {
        let mut own = |flag: u32, usual: u32| match has & flag {
            0 => Ok(usual),
            _ => u32_of(&mut trun),
        };
        let duration = own(0x100, usual_duration)?;
        let size = usize::try_from(own(0x200, usual_size)?).map_err(|_| Unreadable)?;
        let composition_offset = own(0x800, 0)?;
        found.push(Sample {
            track: id,
            decode,
            composition_offset,
            duration,
            keyframe: flags & NOT_SYNC == 0,
            data: take(&mut data, size)?,
        });
        decode = decode.saturating_add(duration.into());
    }
    Ok(())
}

type Boxed = ([u8; 4], Bytes);

/// The boxes that follow one another, by type and content.
fn boxes(bytes: &Bytes) -> Result<Vec<Boxed>, Unreadable> {
    let mut rest = bytes.clone();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let size = usize::try_from(u32_of(&mut rest)?).map_err(|_| Unreadable)?;
        let kind = u32_of(&mut rest)?.to_be_bytes();
        let content = size.checked_sub(8).ok_or(Unreadable)?;
        found.push((kind, take(&mut rest, content)?));
    }
    Ok(found)
}

fn each(bytes: &Bytes, kind: &[u8; 4]) -> Result<Vec<Bytes>, Unreadable> {
    let boxes = boxes(bytes)?.into_iter();
    Ok(boxes
        .filter(|(found, _)| found == kind)
        .map(|(_, content)| content)
        .collect())
}

fn one(bytes: &Bytes, kind: &[u8; 4]) -> Result<Bytes, Unreadable> {
    each(bytes, kind)?.into_iter().next().ok_or(Unreadable)
}

fn skip(bytes: &Bytes, count: usize) -> Result<Bytes, Unreadable> {
    let mut bytes = bytes.clone();
    take(&mut bytes, count)?;
    Ok(bytes)
}

fn take(bytes: &mut Bytes, count: usize) -> Result<Bytes, Unreadable> {
    match count <= bytes.len() {
        true => Ok(bytes.split_to(count)),
        false => Err(Unreadable),
    }
}

fn u16_of(bytes: &mut Bytes) -> Result<u16, Unreadable> {
    bytes.try_get_u16().map_err(|_| Unreadable)
}

fn u32_of(bytes: &mut Bytes) -> Result<u32, Unreadable> {
    bytes.try_get_u32().map_err(|_| Unreadable)
}

fn u64_of(bytes: &mut Bytes) -> Result<u64, Unreadable> {
    bytes.try_get_u64().map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests;
