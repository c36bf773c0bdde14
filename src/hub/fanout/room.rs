//! Where records lie from when they are sealed until the kernel has them.

use bytes::{Bytes, BytesMut};

/// Of so many records at once: few enough that they are still in the core's cache when the kernel copies them.
const RECORDS: usize = 16;
/// The longest text of a record (RFC 8446, 5.1), and room for what is sealed with it and before it.
pub(super) const TEXT: usize = 1 << 14;
const RECORD: usize = TEXT + 512;

/// One thread's, used again and again.
#[derive(Default)]
pub(super) struct Room {
    bytes: BytesMut,
    records: usize,
}

impl Room {
    /// Where the next record goes.
    pub fn next(&mut self) -> &mut BytesMut {
        if self.bytes.capacity() < RECORD {
            self.bytes.reserve(RECORDS * RECORD);
        }
        &mut self.bytes
    }

    /// The record that was put there.
    pub fn take(&mut self) -> Bytes {
        self.records += 1;
        self.bytes.split().freeze()
    }

    /// Whether they should be sent before there are more.
    pub fn is_full(&self) -> bool {
        self.records >= RECORDS
    }

    /// Nothing holds a record any more.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.records) > 0 {
            // Of what is free again, so nothing is allocated.
            self.bytes.reserve(RECORDS * RECORD);
        }
    }
}
