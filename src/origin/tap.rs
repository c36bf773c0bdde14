//! Between the source and `flvdemux`: sees what comes, and decides what goes on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gst::prelude::*;
use gstreamer as gst;

use super::flv::{Cutter, Kind, Piece};
use super::gate::{Gate, Restart};
use super::script::Script;
use crate::hub::Publisher;

/// Sits on a source's pad.
#[derive(Default)]
pub(super) struct Tap {
    bytes: AtomicU64,
    reader: Mutex<Reader>,
    /// Another publisher has taken over.
    replaced: AtomicBool,
    /// Nothing more is taken.
    closed: AtomicBool,
}

#[derive(Default)]
struct Reader {
    cutter: Cutter,
    gate: Gate,
    /// Bytes that went on.
    passed: u64,
}

impl Tap {
    /// Sits down on a pad. Script data goes to `script_to` while there is one.
    pub fn new(pad: &gst::Pad, script_to: Weak<Publisher>) -> Arc<Self> {
        let tap = Arc::<Self>::default();
        let own = Arc::clone(&tap);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let buffer = match info.data.take() {
                Some(gst::PadProbeData::Buffer(buffer)) => buffer,
                other => {
                    info.data = other;
                    return gst::PadProbeReturn::Ok;
                }
            };
            match own.take(&buffer, &script_to) {
                Ok(Some(buffer)) => {
                    info.data = Some(gst::PadProbeData::Buffer(buffer));
                    gst::PadProbeReturn::Ok
                }
                Ok(None) => gst::PadProbeReturn::Drop,
                Err(end) => {
                    info.flow_res = Err(end);
                    gst::PadProbeReturn::Handled
                }
            }
        });
        tap
    }

    /// Bytes that have come.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether it has ended the stream because another publisher has taken over.
    pub fn replaced(&self) -> bool {
        self.replaced.load(Ordering::Relaxed)
    }

    /// Makes the source come to rest with its next buffer.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// What goes on, if anything. `Err`: how the source is to end.
    fn take(
        &self,
        buffer: &gst::Buffer,
        script_to: &Weak<Publisher>,
    ) -> Result<Option<gst::Buffer>, gst::FlowError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(gst::FlowError::Flushing);
        }
        let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        self.bytes.fetch_add(map.len() as u64, Ordering::Relaxed);
        let mut reader = (self.reader.lock()).unwrap_or_else(PoisonError::into_inner);
        let read = reader.read(&map, |script| {
            if let Some(publisher) = script_to.upgrade() {
                publisher.metadata(&script.handler, &script.message);
            }
        });
        let bytes = read.map_err(|Restart| {
            self.replaced.store(true, Ordering::Relaxed);
            gst::FlowError::Eos
        })?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let offset = reader.passed;
        reader.passed += bytes.len() as u64;
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            // `flvdemux` expects a header at 0.
            buffer.set_offset(offset);
        }
        Ok(Some(buffer))
    }
}

impl Reader {
    fn read(&mut self, bytes: &[u8], mut say: impl FnMut(&Script)) -> Result<Vec<u8>, Restart> {
        let mut out = Vec::new();
        for piece in self.cutter.cut(bytes) {
            let tag = match piece {
                Piece::Tag(tag) => tag,
                Piece::Other(bytes) => {
                    out.extend(bytes);
                    continue;
                }
            };
            if tag.kind() == Kind::Script
                && let Some(script) = Script::read(tag.data())
            {
                if let Some(picture) = script.picture {
                    self.gate.announce(picture);
                }
                say(&script);
            }
            self.gate.pass(tag, &mut out)?;
        }
        Ok(out)
    }
}
