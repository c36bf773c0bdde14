//! Streams whole, in parts, cut off and broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const FLV: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

/// A tag as it stands in a stream.
pub fn tag_at(kind: u8, time: u32, data: &[u8]) -> Tag {
    let length = data.len() as u32;
    let [high, d, e, f] = time.to_be_bytes();
    let mut out = vec![kind];
    out.extend(&length.to_be_bytes()[1..]);
    out.extend([d, e, f, high, 0, 0, 0]);
    out.extend(data);
    out.extend((length + TAG_HEADER as u32).to_be_bytes());
    Tag(out)
}

fn tags() -> Vec<Tag> {
    vec![
        tag_at(18, 0, &[2, 0, 0]),
        tag_at(9, 40, &[7; 500]),
        tag_at(8, u32::MAX, &[]),
        tag_at(5, 7, &[1]),
    ]
}

fn stream() -> Vec<u8> {
    let tags = tags();
    let bytes: Vec<&[u8]> = tags.iter().map(Tag::bytes).collect();
    [FLV, &bytes.concat()].concat()
}

#[test]
fn tags_are_cut_from_parts_of_any_size() {
    let stream = stream();
    for size in (1..80).chain([stream.len()]) {
        let mut cutter = Cutter::default();
        let pieces: Vec<Piece> = stream
            .chunks(size)
            .flat_map(|part| cutter.cut(part))
            .collect();
        let mut expected = vec![Piece::Other(FLV.to_vec())];
        expected.extend(tags().into_iter().map(Piece::Tag));
        assert_eq!(pieces, expected, "{size}");
        assert!(cutter.held.is_empty());
    }
}

#[test]
fn a_tag_says_what_it_is() {
    let tags = tags();
    let kinds: Vec<Kind> = tags.iter().map(Tag::kind).collect();
    let expected = [Kind::Script, Kind::Video, Kind::Audio, Kind::Other];
    assert_eq!(kinds, expected);
    let times: Vec<u32> = tags.iter().map(Tag::time).collect();
    assert_eq!(times, [0, 40, u32::MAX, 7]);
    let lengths: Vec<usize> = tags.iter().map(|tag| tag.data().len()).collect();
    assert_eq!(lengths, [3, 500, 0, 1]);
}

#[test]
fn configurations_are_told_from_packets() {
    for (kind, data, expected) in [
        (8, &[0xaf, 0, 0x11][..], true),
        (8, &[0xaf, 1, 0x21], false),
        (8, &[0x2f, 0, 0], false),
        (9, &[0x17, 0, 0, 0, 0], true),
        (9, &[0x17, 2, 0, 0, 0], true),
        (9, &[0x17, 1, 0, 0, 0], false),
        (9, &[0x12, 0], false),
        (9, &[0x17], false),
        (8, &[], false),
        (18, &[0xaf, 0], false),
    ] {
        assert_eq!(
            tag_at(kind, 0, data).configures(),
            expected,
            "{kind} {data:?}"
        );
    }
}

#[test]
fn a_longer_header_is_a_header() {
    let header = b"FLV\x01\x05\0\0\0\x0c...\0\0\0\0".to_vec();
    let tag = tag_at(9, 0, &[1]);
    let pieces = Cutter::default().cut(&[&header, tag.bytes()].concat());
    assert_eq!(pieces, [Piece::Other(header), Piece::Tag(tag)]);
}

#[test]
fn what_is_no_flv_passes_as_it_is() {
    for stream in [
        b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec(),
        b"FLV\x01\x05\0\0\0\x08\0\0\0\0".to_vec(),
        b"FLV\x01\x05\xff\xff\xff\xff\0\0\0\0".to_vec(),
    ] {
        let mut cutter = Cutter::default();
        let mut passed = Vec::new();
        for part in stream.chunks(4) {
            for piece in cutter.cut(part) {
                let Piece::Other(bytes) = piece else { panic!() };
                passed.extend(bytes);
            }
        }
        assert_eq!(passed, stream);
    }
}
