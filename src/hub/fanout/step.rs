//! What sessions that stand at the same place are given: the first of them is asked, and the others need not be.

use bytes::Bytes;

use crate::hub::topic::Cursor;

/// From one entry of a topic to the next.
pub(super) struct Step {
    pub from: Cursor,
    pub to: Cursor,
    pub piece: Bytes,
}

impl Step {
    /// Of one who was given `piece`. None where that is not simply the next entry: who has skipped to a keyframe
    /// has to be counted.
    pub fn new(from: Option<Cursor>, to: Option<Cursor>, piece: &Bytes) -> Option<Self> {
        let (from, to) = from.zip(to)?;
        (to.sequence == from.sequence + 1).then(|| Self {
            from,
            to,
            piece: piece.clone(),
        })
    }
}
