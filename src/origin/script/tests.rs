//! What is found in FLV streams, whole and broken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const FLV: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

fn tag(kind: u8, data: &[u8]) -> Vec<u8> {
    tag_at(kind, 0, data)
}

fn tag_at(kind: u8, time: u32, data: &[u8]) -> Vec<u8> {
    let length = data.len() as u32;
    let [high, d, e, f] = time.to_be_bytes();
    let mut out = vec![kind];
    out.extend(&length.to_be_bytes()[1..]);
    out.extend([d, e, f, high, 0, 0, 0]);
    out.extend(data);
    out.extend((length + TAG_HEADER as u32).to_be_bytes());
    out
}

fn call(handler: &str) -> Vec<u8> {
    let mut out = vec![2];
    out.extend((handler.len() as u16).to_be_bytes());
    out.extend(handler.bytes());
    out
}

fn metadata() -> Vec<u8> {
    [call("onMetaData"), b"\x03\0\x01a\x01\x01\0\0\x09".to_vec()].concat()
}

fn found() -> Script {
    Script {
        handler: "onMetaData".to_owned(),
        message: r#"{"a":true}"#.to_owned(),
        announces_video: false,
    }
}

fn stream() -> Vec<u8> {
    [
        FLV.to_vec(),
        tag(18, &metadata()),
        tag(9, &[7; 500]),
        tag(8, &[]),
        tag(18, &[]),
        tag(18, &metadata()),
        tag(9, &[7; 3]),
    ]
    .concat()
}

#[test]
fn scripts_are_found_in_pieces_of_any_size() {
    let stream = stream();
    for size in (1..80).chain([stream.len()]) {
        let mut scanner = Scanner::new();
        let scripts: Vec<Script> = stream
            .chunks(size)
            .flat_map(|piece| scanner.scan(piece))
            .collect();
        assert_eq!(scripts, [found(), found()], "{size}");
    }
}

#[test]
fn a_stream_that_ends_early_gives_what_was_whole() {
    let stream = stream();
    let first = FLV.len() + TAG_HEADER + metadata().len();
    let second = stream.len() - tag(9, &[7; 3]).len() - SIZE as usize;
    for end in 0..stream.len() {
        let count = usize::from(end >= first) + usize::from(end >= second);
        assert_eq!(Scanner::new().scan(&stream[..end]).len(), count, "{end}");
    }
}

#[test]
fn what_is_no_flv_is_let_pass() {
    for bytes in [
        b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec(),
        b"FLV\x01\x05\0\0\0\x08\0\0\0\0".to_vec(),
        b"FLV\x01\x05\xff\xff\xff\xff\0\0\0\0".to_vec(),
    ] {
        let mut scanner = Scanner::new();
        let stream = [bytes, tag(18, &metadata())].concat();
        assert!(scanner.scan(&stream).is_empty());
        assert!(matches!(scanner.next, Next::Lost));
    }
}

#[test]
fn a_longer_header_is_passed_over() {
    let stream = [
        b"FLV\x01\x05\0\0\0\x0c...\0\0\0\0".to_vec(),
        tag(18, &metadata()),
    ];
    assert_eq!(Scanner::new().scan(&stream.concat()), [found()]);
}

#[test]
fn a_tag_past_the_bound_is_passed_over_without_being_held() {
    let mut scanner = Scanner::new();
    let long = tag(18, &vec![2; LONGEST_SCRIPT as usize + 1]);
    for piece in [FLV, &long].concat().chunks(64) {
        assert!(scanner.scan(piece).is_empty());
        assert!(scanner.held.len() <= TAG_HEADER);
    }
    assert_eq!(scanner.scan(&tag(18, &metadata())), [found()]);
}

#[test]
fn a_script_that_can_not_be_read_is_left_out() {
    let bad = [
        tag(18, b"\x02\0\xff"),
        tag(18, b"\x05"),
        tag(18, &call(&"x".repeat(LONGEST_HANDLER + 1))),
        tag(18, &metadata()),
    ];
    let stream = [FLV.to_vec(), bad.concat()].concat();
    assert_eq!(Scanner::new().scan(&stream), [found()]);
}

#[test]
fn a_publishers_own_call_is_unwrapped_and_several_values_are_a_list() {
    let data = [call("@setDataFrame"), call("onText"), b"\x05\x05".to_vec()].concat();
    let stream = [FLV.to_vec(), tag(18, &data)].concat();
    let expected = Script {
        handler: "onText".to_owned(),
        message: "[null,null]".to_owned(),
        announces_video: false,
    };
    assert_eq!(Scanner::new().scan(&stream), [expected]);
}

#[test]
fn a_time_that_goes_back_tells_of_another_publisher() {
    const PICTURE: &[u8] = &[0x27, 1, 0, 0, 0, 7];
    const SOUND: &[u8] = &[0xaf, 1, 7];
    const OTHER_SOUND: &[u8] = &[0x2f, 0, 7];
    let hour = 3_600_000;
    let rows = [
        (
            "goes on",
            vec![(9, hour, PICTURE), (9, hour + 33, PICTURE)],
            false,
        ),
        (
            "a little disorder",
            vec![(9, hour, PICTURE), (9, hour - 1000, PICTURE)],
            false,
        ),
        (
            "late sound",
            vec![(9, hour, PICTURE), (8, hour - 3000, SOUND)],
            false,
        ),
        (
            "configurations at 0",
            vec![
                (9, hour, PICTURE),
                (8, hour, SOUND),
                (9, 0, &[0x17, 0, 0]),
                (8, 0, &[0xaf, 0, 0]),
                (9, hour, PICTURE),
                (8, hour, SOUND),
            ],
            false,
        ),
        (
            "a script at 0",
            vec![(9, hour, PICTURE), (18, 0, &[2])],
            false,
        ),
        (
            "a packet without a type",
            vec![(9, hour, PICTURE), (9, 0, &[0x27])],
            false,
        ),
        (
            "another picture",
            vec![(9, hour, PICTURE), (9, 0, PICTURE)],
            true,
        ),
        ("another sound", vec![(8, hour, SOUND), (8, 0, SOUND)], true),
        (
            "sound of another codec",
            vec![(8, hour, OTHER_SOUND), (8, 0, OTHER_SOUND)],
            true,
        ),
        (
            "past 32 bits",
            vec![(8, u32::MAX, SOUND), (8, 20, SOUND)],
            true,
        ),
    ];
    for (name, tags, expected) in rows {
        let tags = tags
            .into_iter()
            .map(|(kind, time, data)| tag_at(kind, time, data));
        let stream = [FLV.to_vec(), tags.collect::<Vec<_>>().concat()].concat();
        for size in [1, 7, stream.len()] {
            let mut scanner = Scanner::new();
            for piece in stream.chunks(size) {
                scanner.scan(piece);
            }
            assert_eq!(scanner.restarted(), expected, "{name}, {size}");
        }
    }
}

#[test]
fn metadata_announces_a_picture() {
    let number = |key: &str, value: f64| {
        [
            call(key)[1..].to_vec(),
            vec![0],
            value.to_be_bytes().to_vec(),
        ]
        .concat()
    };
    let name = |key: &str, value: &str| [&call(key)[1..], &call(value)[..]].concat();
    let rows = [
        ("onMetaData", number("width", 320.0), true),
        ("onMetaData", number("videocodecid", 7.0), true),
        ("onMetaData", name("videocodecid", "avc1"), true),
        ("onMetaData", number("width", 0.0), false),
        ("onMetaData", number("videocodecid", 0.0), false),
        ("onMetaData", name("videocodecid", ""), false),
        ("onMetaData", number("audiocodecid", 10.0), false),
        ("onCuePoint", number("width", 320.0), false),
    ];
    for (handler, member, expected) in rows {
        let data = [call(handler), vec![3], member.clone(), vec![0, 0, 9]].concat();
        let scripts = Scanner::new().scan(&[FLV.to_vec(), tag(18, &data)].concat());
        assert_eq!(scripts.len(), 1);
        assert_eq!(
            scripts[0].announces_video, expected,
            "{handler} {}",
            scripts[0].message
        );
    }
    let without = tag(18, &[call("onMetaData"), vec![5]].concat());
    let scripts = Scanner::new().scan(&[FLV.to_vec(), without].concat());
    assert!(!scripts[0].announces_video);
}
