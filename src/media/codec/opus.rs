//! Opus: the identification header, a packet's duration, and silence.

use bytes::Bytes;

use super::super::error::MediaError;

/// What an OpusHead (RFC 7845, 5.1) says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opus {
    pub(crate) channels: u8,
    /// Samples of 48 kHz that a decoder throws away at the beginning.
    pub(crate) pre_skip: u16,
    pub(crate) input_rate: u32,
    pub(crate) gain: i16,
    /// Of family 1; family 0 is one stream of one or two channels.
    pub(crate) mapping: Option<Mapping>,
}

/// The channel mapping table (RFC 7845, 5.1.1) of family 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) streams: u8,
    pub(crate) coupled: u8,
    pub(crate) channels: Vec<u8>,
}

/// Hertz of every Opus track (Encapsulation of Opus in ISO BMFF, 4.3.1).
pub(crate) const RATE: u32 = 48_000;
/// Samples of the silent packet, and of the packets that encoders make unless told otherwise.
pub(crate) const SILENT_SAMPLES: u32 = 960;
/// The longest packet is of 120 ms (RFC 6716, 3.2.5, R5).
const MAX_SAMPLES: u32 = 5_760;

/// Reads an OpusHead of family 0 or 1.
///
/// # Errors
/// [`MediaError::OpusHead`] when it is cut off or of another kind.
pub(crate) fn parse_head(head: &[u8]) -> Result<Opus, MediaError> {
    let Some(body) = head.strip_prefix(b"OpusHead") else {
        return Err(MediaError::OpusHead("it does not begin with OpusHead"));
    };
    let Some((&[version, channels, p0, p1, r0, r1, r2, r3, g0, g1, family], table)) =
        body.split_first_chunk::<11>()
    else {
        return Err(MediaError::OpusHead("it is cut off"));
    };
    if version >> 4 != 0 {
        return Err(MediaError::OpusHead("its version is not 1"));
    }
    let mapping = match (family, channels) {
        (0, 1 | 2) => None,
        (1, 1..=8) => Some(mapping(table, channels)?),
        (0 | 1, _) => return Err(MediaError::OpusHead("it has no possible channel count")),
        _ => {
            return Err(MediaError::OpusHead(
                "its channels are neither mono, stereo nor surround (family 0 or 1)",
            ));
        }
    };
    Ok(Opus {
        channels,
        pre_skip: u16::from_le_bytes([p0, p1]),
        input_rate: u32::from_le_bytes([r0, r1, r2, r3]),
        gain: i16::from_le_bytes([g0, g1]),
        mapping,
    })
}

fn mapping(table: &[u8], channels: u8) -> Result<Mapping, MediaError> {
    let Some(([streams, coupled], rest)) = table.split_first_chunk::<2>() else {
        return Err(MediaError::OpusHead("its channel mapping is cut off"));
    };
    let Some(list) = rest.get(..usize::from(channels)) else {
        return Err(MediaError::OpusHead("its channel mapping is cut off"));
    };
    let decoded = streams.saturating_add(*coupled);
    let named = |channel: &u8| *channel == u8::MAX || *channel < decoded;
    if *streams == 0 || coupled > streams || decoded > 8 || !list.iter().all(named) {
        return Err(MediaError::OpusHead("its channel mapping is not possible"));
    }
    Ok(Mapping {
        streams: *streams,
        coupled: *coupled,
        channels: list.to_vec(),
    })
}

/// A packet's samples of 48 kHz, by its first bytes (RFC 6716, 3.1 and 3.2).
///
/// # Errors
/// [`MediaError::OpusPacket`] when it says no possible duration.
pub(crate) fn packet_samples(packet: &[u8]) -> Result<u32, MediaError> {
    let &toc = packet.first().ok_or(MediaError::Empty)?;
    let config = toc >> 3;
    let frame = match config {
        0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        12..=15 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |count| u32::from(count & 0x3f)),
    };
    match frame * frames {
        samples @ 1..=MAX_SAMPLES => Ok(samples),
        _ => Err(MediaError::OpusPacket),
    }
}

/// A packet of 20 ms of silence: CELT frames that say so with their first bit, one a stream, all but
/// the last self-delimited (RFC 6716, appendix B).
pub(crate) fn silent_packet(opus: &Opus) -> Bytes {
    const CELT_20_MS: u8 = 31 << 3;
    let streams = opus.mapping.as_ref().map_or(1, |mapping| mapping.streams);
    let mut packet = Vec::new();
    for _ in 1..streams {
        packet.extend_from_slice(&[CELT_20_MS, 2, 0xff, 0xfe]);
    }
    packet.extend_from_slice(&[CELT_20_MS, 0xff, 0xfe]);
    Bytes::from(packet)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const STEREO: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
    const SURROUND: &[u8] =
        b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";

    #[test]
    fn reads_heads() {
        let opus = parse_head(STEREO).unwrap();
        assert_eq!((opus.channels, opus.pre_skip), (2, 312));
        assert_eq!((opus.input_rate, opus.gain), (48_000, 0));
        let mapping = parse_head(SURROUND).unwrap().mapping.unwrap();
        assert_eq!((mapping.streams, mapping.coupled), (4, 2));
        for head in [STEREO, SURROUND] {
            for length in 0..head.len() {
                assert!(parse_head(&head[..length]).is_err(), "{length} bytes");
            }
        }
        let mut ambisonics = STEREO.to_vec();
        ambisonics[18] = 2;
        assert!(parse_head(&ambisonics).is_err());
        let mut sliding = SURROUND.to_vec();
        sliding[22] = 9;
        assert!(parse_head(&sliding).is_err());
    }

    #[test]
    fn reads_durations() {
        let rows: [(&[u8], u32); 6] = [
            (&[0xfc], 960),
            (&[0xe0], 120),
            (&[0x18], 2_880),
            (&[0x61], 960),
            (&[0xe3, 4], 480),
            (&[0x1b, 2], 5_760),
        ];
        for (packet, samples) in rows {
            assert_eq!(packet_samples(packet), Ok(samples), "{packet:02x?}");
        }
        for packet in [&[0xff_u8, 0][..], &[0xff], &[0xff, 63], &[]] {
            assert!(packet_samples(packet).is_err(), "{packet:02x?}");
        }
    }

    #[test]
    fn silence_lasts_20_ms() {
        for head in [STEREO, SURROUND] {
            let packet = silent_packet(&parse_head(head).unwrap());
            assert_eq!(packet_samples(&packet), Ok(SILENT_SAMPLES));
        }
    }
}
