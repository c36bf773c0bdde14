//! A box around what is written.

use bytes::BufMut;
use mp4_atom as mp4;

/// Writes a box: its size and kind, then what `content` writes.
pub(super) fn boxed(
    out: &mut Vec<u8>,
    kind: &[u8; 4],
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), mp4::Error>,
) -> Result<(), mp4::Error> {
    let start = open(out, kind);
    content(out)?;
    close(out, start);
    Ok(())
}

/// Begins a box, and returns where.
pub(super) fn open(out: &mut Vec<u8>, kind: &[u8; 4]) -> usize {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(kind);
    start
}

/// Ends the box that began at `start`: only now is its size known.
pub(super) fn close(out: &mut [u8], start: usize) {
    // No box here comes near 4 GiB: access units are bounded, and an init segment is small.
    put_at(out, start, out.len() - start);
}

pub(super) fn put_at(out: &mut [u8], at: usize, value: usize) {
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&(value as u32).to_be_bytes());
    }
}
