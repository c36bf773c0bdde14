//! A reader for the FLV files that ffmpeg writes: AVC and AAC tags only.

use bytes::Bytes;
use h5live::media::fragment::{AccessUnit, AudioConfig};

/// One message of a publisher, in file order.
#[derive(Clone, Debug)]
pub enum Message {
    /// avcC.
    VideoConfig(Bytes),
    /// AudioSpecificConfig.
    AudioConfig(AudioConfig),
    Video(AccessUnit),
    Audio(AccessUnit),
}

/// Reads a whole FLV file; timestamps are milliseconds, as RTMP has them.
pub fn read(file: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut at = 13;
    while at + 11 <= file.len() {
        let size = be24(&file[at + 1..]);
        let time = be24(&file[at + 4..]) | u32::from(file[at + 7]) << 24;
        let body = &file[at + 11..at + 11 + size as usize];
        messages.extend(message(file[at], u64::from(time), body));
        at += 11 + size as usize + 4;
    }
    messages
}

fn message(kind: u8, time: u64, body: &[u8]) -> Option<Message> {
    const MS: u64 = 1_000_000;
    match (kind, body) {
        (9, [flags, 0, _, _, _, avcc @ ..]) => {
            assert_eq!(flags & 0xf, 7, "AVC");
            Some(Message::VideoConfig(Bytes::copy_from_slice(avcc)))
        }
        (9, [flags, 1, offset @ ..]) => Some(Message::Video(AccessUnit {
            dts: time * MS,
            pts: (time + u64::from(be24(offset))) * MS,
            keyframe: flags >> 4 == 1,
            data: Bytes::copy_from_slice(&offset[3..]),
        })),
        (8, [flags, 0, asc @ ..]) => {
            assert_eq!(flags >> 4, 10, "AAC");
            Some(Message::AudioConfig(AudioConfig::Aac(
                Bytes::copy_from_slice(asc),
            )))
        }
        // ffmpeg ends a stream with an empty frame of some kinds.
        (8, [_, 1, frame @ ..]) if !frame.is_empty() => Some(Message::Audio(AccessUnit {
            dts: time * MS,
            pts: time * MS,
            keyframe: true,
            data: Bytes::copy_from_slice(frame),
        })),
        _ => None,
    }
}

fn be24(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])
}
