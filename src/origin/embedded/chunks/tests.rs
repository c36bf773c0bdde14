#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;

use super::*;

fn message(kind: u8, time: u32, data: &[u8]) -> Message {
    Message {
        kind,
        stream: 1,
        time,
        data: Bytes::copy_from_slice(data),
    }
}

/// A header of format 0 with a one-byte id.
fn full(id: u8, time: u32, length: usize, kind: u8) -> Vec<u8> {
    let mut out = vec![id];
    out.extend(&time.to_be_bytes()[1..]);
    out.extend(&(length as u32).to_be_bytes()[1..]);
    out.push(kind);
    out.extend(1u32.to_le_bytes());
    out
}

fn read(bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
    Chunks::default().read(bytes)
}

fn read_in_parts(bytes: &[u8], part: usize) -> Vec<Message> {
    let mut chunks = Chunks::default();
    let parts = bytes.chunks(part);
    parts.flat_map(|part| chunks.read(part).unwrap()).collect()
}

proptest! {
    /// What another implementation writes is read as it was, however it is cut.
    #[test]
    fn messages_arrive_in_any_portions(
        sent in prop::collection::vec((8u8..21, 0u32..100, prop::collection::vec(any::<u8>(), 1..700)), 1..12),
        start in prop_oneof![Just(0u32), Just(0xff_fff0), Just(u32::MAX - 400)],
        size in prop_oneof![Just(None), (1u32..5000).prop_map(Some)],
        part in 1usize..900,
    ) {
        let mut serializer = ChunkSerializer::new();
        let mut bytes = Vec::new();
        if let Some(size) = size {
            bytes.extend(serializer.set_max_chunk_size(size, RtmpTimestamp::new(0)).unwrap().bytes);
        }
        let mut time = start;
        let mut expected = Vec::new();
        for (kind, delta, data) in sent {
            time = time.saturating_add(delta);
            let payload = MessagePayload {
                timestamp: RtmpTimestamp::new(time),
                type_id: kind,
                message_stream_id: 1,
                data: Bytes::from(data.clone()),
            };
            bytes.extend(serializer.serialize(&payload, false, false).unwrap().bytes);
            expected.push(message(kind, time, &data));
        }
        prop_assert_eq!(read_in_parts(&bytes, part), expected);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000), part in 1usize..100) {
        let mut chunks = Chunks::default();
        for part in bytes.chunks(part) {
            if chunks.read(part).is_err() {
                break;
            }
            prop_assert!(chunks.unfinished <= bytes.len());
            prop_assert!(chunks.input.len() < 32);
        }
    }
}

#[test]
fn messages_of_two_chunk_streams_may_be_mixed() {
    let mut bytes = full(4, 10, 200, 9);
    bytes.extend([1; 128]);
    bytes.extend(full(5, 12, 3, 8));
    bytes.extend([2; 3]);
    bytes.push(0xc4);
    bytes.extend([1; 72]);
    // Like the last of its chunk stream, and so much later.
    bytes.push(0xc5);
    bytes.extend([3; 3]);
    let expected = [
        message(8, 12, &[2; 3]),
        message(9, 10, &[1; 200]),
        message(8, 24, &[3; 3]),
    ];
    assert_eq!(read(&bytes).unwrap(), expected);
}

#[test]
fn a_message_that_is_cut_short_is_left_out() {
    let mut another = full(4, 10, 200, 9);
    another.extend([1; 128]);
    another.extend(full(4, 20, 2, 9));
    another.extend([2; 2]);
    assert_eq!(read(&another).unwrap(), [message(9, 20, &[2; 2])]);

    let mut aborted = full(4, 10, 200, 9);
    aborted.extend([1; 128]);
    aborted.extend(full(2, 0, 4, ABORT));
    aborted.extend(4u32.to_be_bytes());
    aborted.extend(full(4, 20, 200, 9));
    aborted.extend([2; 128]);
    aborted.push(0xc4);
    aborted.extend([2; 72]);
    assert_eq!(read(&aborted).unwrap(), [message(9, 20, &[2; 200])]);
}

#[test]
fn headers_may_be_repeated_within_a_message() {
    let mut bytes = full(4, 10, 200, 9);
    bytes.extend([1; 128]);
    bytes.extend(full(4, 10, 200, 9));
    bytes.extend([1; 72]);
    assert_eq!(read(&bytes).unwrap(), [message(9, 10, &[1; 200])]);
}

#[test]
fn a_message_may_be_empty_and_ids_may_be_long() {
    let mut bytes = full(4, 1, 0, 9);
    for id in [&[0, 7][..], &[1, 7, 2]] {
        bytes.extend(id);
        bytes.extend(&full(4, 5, 1, 8)[1..]);
        bytes.push(6);
    }
    let expected = [message(9, 1, &[]), message(8, 5, &[6]), message(8, 5, &[6])];
    assert_eq!(read_in_parts(&bytes, 1), expected);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let size = |size: u32| [full(2, 0, 4, SET_CHUNK_SIZE), size.to_be_bytes().to_vec()].concat();
    assert_eq!(read(&[0xc4]), Err(ChunkError::NoHeader));
    assert_eq!(read(&size(0)), Err(ChunkError::ChunkSize));
    assert_eq!(read(&size(0x8000_0000)), Err(ChunkError::ChunkSize));
    let streams: Vec<u8> = (0..=64)
        .flat_map(|id| [&[0, id][..], &full(2, 0, 1, 9)[1..], &[0]].concat())
        .collect();
    assert_eq!(read(&streams), Err(ChunkError::Streams));
}

#[test]
fn what_is_claimed_takes_no_memory_and_what_is_sent_is_bounded() {
    let half = UNFINISHED / 2;
    let mut chunks = Chunks::default();
    let size = [
        full(2, 0, 4, SET_CHUNK_SIZE),
        (half as u32).to_be_bytes().to_vec(),
    ];
    chunks.read(&size.concat()).unwrap();
    for id in [3, 4] {
        chunks.read(&full(id, 0, UNFINISHED - 1, 9)).unwrap();
        assert!(chunks.streams[&id.into()].data.capacity() < 1024);
        chunks.read(&vec![0; half]).unwrap();
    }
    let third = [full(5, 0, 2, 9), vec![0]].concat();
    assert_eq!(chunks.read(&third), Err(ChunkError::Unfinished));
}
