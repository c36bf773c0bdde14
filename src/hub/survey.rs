//! How the streams of a hub are at this moment, for whoever asks.

use super::registry::Hub;
use super::source::Source;
use super::stream::State;
use crate::media::fragment::StreamInfo;

/// One stream.
#[derive(Clone, Debug)]
pub struct StreamFacts {
    /// Which.
    pub source: Source,
    /// Whether somebody publishes it, with media or not yet.
    pub published: bool,
    /// How many subscribe to it.
    pub viewers: usize,
    /// What plays; `None` before its first media and after its end.
    pub info: Option<StreamInfo>,
    /// Bytes that ever came; only the difference of two looks means something.
    pub bytes: u64,
    /// Milliseconds between the last two keyframes.
    pub keyframe_interval_ms: Option<u64>,
}

impl Hub {
    /// The streams whose name holds this text, by name, so many of them; and how many match.
    pub fn survey(&self, text: &str, most: usize) -> (usize, Vec<StreamFacts>) {
        let mut streams = self.all(|source| source.stream.as_str().contains(text));
        let matching = streams.len();
        streams.sort_by(|(a, ..), (b, ..)| a.source.cmp(&b.source));
        streams.truncate(most);
        let facts = streams.into_iter().map(|(stream, published, viewers)| {
            let state = stream.lock();
            StreamFacts {
                source: stream.source.clone(),
                published,
                viewers,
                info: state.start.as_ref().map(|start| start.init.info.clone()),
                bytes: state.received(),
                keyframe_interval_ms: state.keyframes.interval_ms,
            }
        });
        (matching, facts.collect())
    }
}

/// When the last keyframes came, on the fMP4 timeline.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keyframes {
    last_ms: Option<u64>,
    pub interval_ms: Option<u64>,
}

impl Keyframes {
    /// Another one.
    pub fn at(&mut self, time_ms: u64) {
        let last = self.last_ms.replace(time_ms);
        self.interval_ms = last.and_then(|last| time_ms.checked_sub(last));
    }
}

impl State {
    /// Sound alone can be joined anywhere.
    pub fn has_picture(&self) -> bool {
        let info = self.start.as_ref().map(|start| &start.init.info);
        info.is_some_and(|info| info.video.is_some())
    }
}
