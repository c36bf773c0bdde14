//! What upstream says of latency, over all pads.

use gst::prelude::*;
use gstreamer as gst;

/// Answers a latency query: live where any upstream is, as late as the latest, as patient as the
/// least patient. The element itself adds nothing. `false` where a linked upstream does not know.
pub(super) fn latency(pads: &[gst::Pad], query: &mut gst::query::Latency) -> bool {
    let mut all = (false, gst::ClockTime::ZERO, None::<gst::ClockTime>);
    for pad in pads.iter().filter(|pad| pad.is_linked()) {
        let mut upstream = gst::query::Latency::new();
        if !pad.peer_query(&mut upstream) {
            return false;
        }
        let (live, min, max) = upstream.result();
        if live {
            all.0 = true;
            all.1 = all.1.max(min);
            all.2 = match (all.2, max) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }
    query.set(all.0, all.1, all.2);
    true
}
