//! Parameter sets of H.264 and H.265, put into each keyframe: in MP4 they stand in the track's configuration
//! only, and a player that lost them could not go on. Pure.
//!
//! `rtph264pay` would do the same by `config-interval`, but before each slice of a keyframe, in the midst of
//! the picture.

use bytes::{Buf, BufMut, Bytes};

use crate::media::fragment::VideoCodec;

/// Which codec's NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    H264,
    H265,
}

/// A track's parameter sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParameterSets {
    kind: Kind,
    length_size: usize,
    /// Each behind its length.
    sets: Bytes,
}

impl ParameterSets {
    /// Reads them off a decoder's configuration; `None` where there are none of them.
    pub fn of(codec: &VideoCodec) -> Option<Self> {
        let (kind, record) = match codec {
            VideoCodec::H264(avcc) => (Kind::H264, avcc),
            VideoCodec::H265(hvcc) => (Kind::H265, hvcc),
            VideoCodec::Av1(_) => return None,
        };
        let length_at = match kind {
            Kind::H264 => 4,
            Kind::H265 => 21,
        };
        let length_size = usize::from(record.get(length_at)? & 3) + 1;
        let mut record = record.slice(length_at + 1..);
        let mut sets = Vec::new();
        match kind {
            // ISO/IEC 14496-15, 5.3.3.1.2
            Kind::H264 => {
                for mask in [0x1f, 0xff] {
                    let count = record.try_get_u8().ok()? & mask;
                    read(&mut record, count.into(), length_size, &mut sets)?;
                }
            }
            // ISO/IEC 14496-15, 8.3.3.1.2
            Kind::H265 => {
                for _ in 0..record.try_get_u8().ok()? {
                    record.try_get_u8().ok()?;
                    let count = record.try_get_u16().ok()?;
                    read(&mut record, count, length_size, &mut sets)?;
                }
            }
        }
        Some(Self {
            kind,
            length_size,
            sets: sets.into(),
        })
    }

    /// A keyframe with them, in pieces that follow one another.
    pub fn put_into(&self, keyframe: Bytes) -> Vec<Bytes> {
        let (delimiter, set) = match self.kind {
            Kind::H264 => (9, 7),
            Kind::H265 => (35, 33),
        };
        let units = self.units(&keyframe);
        if units.iter().any(|(kind, _)| *kind == set) {
            return vec![keyframe];
        }
        // A delimiter is the first of its access unit (ISO/IEC 14496-10, 7.4.1.2.3).
        match units.first() {
            Some((kind, end)) if *kind == delimiter => {
                let (first, rest) = (keyframe.slice(..*end), keyframe.slice(*end..));
                vec![first, self.sets.clone(), rest]
            }
            _ => vec![self.sets.clone(), keyframe],
        }
    }

    /// The type of each NAL unit, and where it ends.
    fn units(&self, data: &Bytes) -> Vec<(u8, usize)> {
        let mut units = Vec::new();
        let mut at = 0;
        while let Some(length) = data.get(at..at + self.length_size) {
            let length = length
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            let begin = at + self.length_size;
            let Some(end) = begin.checked_add(length).filter(|end| *end <= data.len()) else {
                break;
            };
            if let Some(head) = data.get(begin).filter(|_| length > 0) {
                let kind = match self.kind {
                    Kind::H264 => head & 0x1f,
                    Kind::H265 => head >> 1 & 0x3f,
                };
                units.push((kind, end));
            }
            at = end;
        }
        units
    }
}

fn read(record: &mut Bytes, count: u16, length_size: usize, sets: &mut Vec<u8>) -> Option<()> {
    for _ in 0..count {
        let length = record.try_get_u16().ok()?;
        let set = record.get(..length.into())?;
        sets.put_uint(length.into(), length_size);
        sets.put_slice(set);
        record.advance(length.into());
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn of_h264() -> ParameterSets {
        let avcc = b"\x01\x42\xc0\x1e\xff\xe1\x00\x02\x67\x42\x01\x00\x01\x68";
        ParameterSets::of(&VideoCodec::H264(Bytes::from_static(avcc))).unwrap()
    }

    #[test]
    fn they_stand_once_and_behind_the_delimiter() {
        let sets = of_h264();
        let put = |data: &'static [u8]| sets.put_into(Bytes::from_static(data)).concat();
        let both = b"\0\0\0\x02\x67\x42\0\0\0\x01\x68";
        let slices = b"\0\0\0\x02\x65\x01\0\0\0\x02\x65\x02";
        assert_eq!(put(slices), [&both[..], slices].concat());
        assert_eq!(
            put(b"\0\0\0\x02\x09\x10\0\0\0\x01\x65"),
            [b"\0\0\0\x02\x09\x10", &both[..], b"\0\0\0\x01\x65"].concat()
        );
        let has_them = b"\0\0\0\x01\x67\0\0\0\x01\x65";
        assert_eq!(put(has_them), has_them);
        for broken in [&b""[..], b"\0", b"\xff\xff\xff\xff\x65", b"\0\0\0\0"] {
            let data = Bytes::copy_from_slice(broken);
            assert_eq!(sets.put_into(data).concat(), [&both[..], broken].concat());
        }
    }

    #[test]
    fn those_of_h265_stand_in_arrays() {
        let mut hvcc = vec![1; 21];
        hvcc.push(3);
        hvcc.extend(b"\x02\xa0\x00\x01\x00\x02\x40\x01\xa1\x00\x01\x00\x02\x42\x01");
        let sets = ParameterSets::of(&VideoCodec::H265(hvcc.into())).unwrap();
        let put = sets.put_into(Bytes::from_static(b"\0\0\0\x02\x26\x01"));
        let expected = b"\0\0\0\x02\x40\x01\0\0\0\x02\x42\x01\0\0\0\x02\x26\x01";
        assert_eq!(put.concat(), expected);
    }

    #[test]
    fn a_cut_record_has_none() {
        let avcc = b"\x01\x42\xc0\x1e\xff\xe1\x00\x02\x67\x42\x01\x00\x01\x68";
        for length in 0..avcc.len() {
            let cut = VideoCodec::H264(Bytes::from_static(&avcc[..length]));
            assert_eq!(ParameterSets::of(&cut), None, "{length} bytes");
        }
    }
}
