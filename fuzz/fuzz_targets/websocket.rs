//! A client's frames are read alike in whatever portions they come, and no message is longer than allowed.

#![no_main]

use h5live::hub::websocket::{Message, Reader, Violation};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 300;

fuzz_target!(|input: (u8, &[u8])| {
    let (portion, bytes) = input;
    let portion = usize::from(portion).max(1);
    let whole = read(bytes.chunks(usize::MAX));
    assert_eq!(whole, read(bytes.chunks(portion)));
    for message in &whole.0 {
        let length = match message {
            Message::Text(text) => text.len(),
            Message::Ping(payload) => payload.len(),
            Message::Part | Message::Pong | Message::Close => 0,
        };
        assert!(length <= LIMIT);
    }
});

/// The messages before the first violation, and that.
fn read<'a>(portions: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Result<(), Violation>) {
    let mut reader = Reader::new(LIMIT);
    let mut messages = Vec::new();
    for portion in portions {
        let read = reader.read(portion, |message| {
            messages.push(message);
            true
        });
        if read.is_err() {
            return (messages, read);
        }
    }
    (messages, Ok(()))
}
