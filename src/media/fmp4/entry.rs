//! Sample entries and what configures their decoders.

use bytes::BufMut;
use mp4_atom as mp4;
use mp4_atom::Encode;

use super::super::codec::aac::Aac;
use super::super::codec::opus::{self, Opus};
use super::super::setup::{AudioSetup, Coding};
use super::boxes::boxed;
use super::init::VideoTrack;

pub(super) fn video(out: &mut Vec<u8>, track: &VideoTrack<'_>) -> Result<(), mp4::Error> {
    let config = &track.setup.config;
    let visual = mp4::Visual {
        data_reference_index: 1,
        width: config.width,
        height: config.height,
        ..Default::default()
    };
    let record = |out: &mut Vec<u8>, kind: &[u8; 4], record: &[u8]| {
        boxed(out, kind, |out| {
            out.put_slice(record);
            Ok(())
        })
    };
    match &track.setup.coding {
        Coding::Avc(avcc, _) => boxed(out, b"avc1", |out| {
            visual.encode(out)?;
            record(out, b"avcC", avcc)
        }),
        Coding::Hevc(hvcc, _) => boxed(out, b"hvc1", |out| {
            visual.encode(out)?;
            record(out, b"hvcC", hvcc)
        }),
        Coding::Av1(sequence) => mp4::Av01 {
            visual,
            av1c: sequence.av1c.clone(),
            ..Default::default()
        }
        .encode(out),
    }
}

pub(super) fn audio(out: &mut Vec<u8>, setup: &AudioSetup) -> Result<(), mp4::Error> {
    match setup {
        AudioSetup::Aac { asc, aac } => mp4a(out, asc, aac),
        AudioSetup::Opus(opus) => opus_entry(opus).encode(out),
    }
}

fn mp4a(out: &mut Vec<u8>, asc: &[u8], aac: &Aac) -> Result<(), mp4::Error> {
    boxed(out, b"mp4a", |out| {
        mp4::Audio {
            data_reference_index: 1,
            channel_count: u16::from(aac.channels),
            sample_size: 16,
            // 16.16 has no room for more than 65535 Hz; 0 then, and the ASC tells.
            sample_rate: u16::try_from(aac.sample_rate).unwrap_or(0).into(),
        }
        .encode(out)?;
        esds(out, asc)
    })
}

/// Encapsulation of Opus in ISO Base Media File Format, 4.3.
fn opus_entry(opus: &Opus) -> mp4::Opus {
    let mapping = opus.mapping.as_ref();
    mp4::Opus {
        audio: mp4::Audio {
            data_reference_index: 1,
            channel_count: u16::from(opus.channels),
            sample_size: 16,
            sample_rate: u16::try_from(opus::RATE).unwrap_or(0).into(),
        },
        dops: mp4::Dops {
            output_channel_count: opus.channels,
            pre_skip: opus.pre_skip,
            input_sample_rate: opus.input_rate,
            output_gain: opus.gain,
            channel_mapping: mapping.map(|mapping| mp4::OpusChannelMapping {
                family: 1,
                stream_count: mapping.streams,
                coupled_count: mapping.coupled,
                channel_mapping: mapping.channels.clone(),
            }),
        },
        btrt: None,
    }
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
