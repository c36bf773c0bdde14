//! What the element does about its clients: signals, messages on the bus, the keyframe that a new one would
//! like, and what the application asks of them.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

use super::dispatch::Event;
use super::imp::{CAT, H5LiveAuthSink, lock};
use super::pace::Pace;
use super::signals;
use super::standalone::Doors;
use crate::http::audience::{Farewell, Turned};
use crate::http::leases::{End, Listed};
use crate::token::Tag;

/// Messages of one kind on the bus in a second; the next one that follows says how many were left out.
const MESSAGES_PER_SECOND: u32 = 20;

/// Warnings of dropped clients on the bus.
const WARNINGS_EVERY: Duration = Duration::from_secs(5);

/// A client that joins gets the stream from its last keyframe on: one as old as this is asked for anew.
pub(super) const KEYFRAME_OLD: Duration = Duration::from_secs(1);

/// How often a keyframe is asked for, however many clients join.
const KEYFRAME_EVERY: Duration = Duration::from_secs(1);

/// Ids that the property `stats` lists.
const IDS: usize = 1000;

/// How often the element has spoken of what.
pub(super) struct Paces {
    authorized: Pace,
    denied: Pace,
    ended: Pace,
    dropped: Pace,
    keyframes: Pace,
    keyframe_requests: u32,
}

impl Default for Paces {
    fn default() -> Self {
        let second = || Pace::new(MESSAGES_PER_SECOND, Duration::from_secs(1));
        Self {
            authorized: second(),
            denied: second(),
            ended: second(),
            dropped: Pace::new(1, WARNINGS_EVERY),
            keyframes: Pace::new(1, KEYFRAME_EVERY),
            keyframe_requests: 0,
        }
    }
}

impl H5LiveAuthSink {
    /// Tells the application of an event. On the dispatcher's thread, with no lock held.
    pub(super) fn tell(&self, event: &Event) {
        match event {
            Event::Joined(session) => self.tell_joined(session),
            Event::Left(session, farewell) => self.tell_left(session, *farewell),
            Event::Turned(viewer) => self.tell_turned(viewer),
            Event::Stop => {}
        }
    }

    fn tell_joined(&self, session: &Listed) {
        gst::info!(
            CAT,
            imp = self,
            "client {} at {} plays",
            session.id,
            session.client
        );
        self.ask_for_keyframe();
        let client = signals::client(session, "client");
        self.obj()
            .emit_by_name::<()>(signals::CLIENT_ADDED, &[&session.id, &client]);
        let message = signals::client(session, "client-authorized");
        self.post(|paces| &mut paces.authorized, message);
    }

    fn tell_left(&self, session: &Listed, farewell: Farewell) {
        let client = signals::gone(session, farewell, "client");
        gst::info!(CAT, imp = self, "client {} is gone: {client}", session.id);
        self.obj()
            .emit_by_name::<()>(signals::CLIENT_REMOVED, &[&session.id, &client]);
        let name = match farewell.end {
            Some(End::Expired) => Some("client-expired"),
            Some(End::Withdrawn) => Some("client-revoked"),
            Some(End::Replaced) | None => None,
        };
        if let Some(name) = name {
            let message = signals::gone(session, farewell, name);
            self.post(|paces| &mut paces.ended, message);
        }
        if farewell.stalled
            && let Some(more) = lock(&self.paces).dropped.allows(Instant::now())
        {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                (
                    "the client at {} was dropped, since it took nothing for too long ({} more since the last warning)",
                    session.client,
                    more
                )
            );
        }
    }

    fn tell_turned(&self, viewer: &Turned) {
        let Turned {
            way,
            stream,
            client,
            refusal,
        } = viewer;
        gst::info!(CAT, imp = self, "refused a client at {client}: {refusal}");
        let message = gst::Structure::builder("client-denied")
            .field("stream", stream.as_str())
            .field("client-address", client.to_canonical().to_string())
            .field("way", way.as_str())
            .field("code", refusal.code())
            .field("close-code", u32::from(refusal.close_code()))
            .field("reason", refusal.to_string())
            .build();
        self.post(|paces| &mut paces.denied, message);
    }

    fn post(&self, pace: fn(&mut Paces) -> &mut Pace, mut message: gst::Structure) {
        let allowed = pace(&mut lock(&self.paces)).allows(Instant::now());
        let Some(left_out) = allowed else {
            return;
        };
        message.set("left-out", left_out);
        let message = gst::message::Element::builder(message)
            .src(&*self.obj())
            .build();
        // It fails where nobody has given the element a bus: then nobody asks.
        let _ = self.obj().post_message(message);
    }

    /// Asks upstream for a keyframe where the last one is old.
    fn ask_for_keyframe(&self) {
        let now = Instant::now();
        let Some(pad) = lock(&self.flow).pad_without_keyframe_since(now, KEYFRAME_OLD) else {
            return;
        };
        let count = {
            let mut paces = lock(&self.paces);
            if paces.keyframes.allows(now).is_none() {
                return;
            }
            paces.keyframe_requests += 1;
            paces.keyframe_requests
        };
        // As gst_video_event_new_upstream_force_key_unit() makes it.
        let structure = gst::Structure::builder("GstForceKeyUnit")
            .field("running-time", gst::ClockTime::NONE)
            .field("all-headers", true)
            .field("count", count)
            .build();
        gst::debug!(CAT, imp = self, "asks for a keyframe");
        pad.push_event(gst::event::CustomUpstream::new(structure));
    }

    /// What `stats` says of clients.
    pub(super) fn add_client_stats(&self, stats: &mut gst::Structure) {
        let requests = lock(&self.paces).keyframe_requests;
        stats.set("keyframe-requests", u64::from(requests));
        let told = lock(&self.flow).doors().map(|doors| {
            let counts = &doors.listeners.counts;
            let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
            stats.set("clients-added", load(&counts.added));
            stats.set("clients-removed", load(&counts.removed));
            stats.set("clients-denied", load(&counts.denied));
            stats.set("clients-dropped", load(&counts.dropped));
            stats.set("events-missed", doors.listeners.missed());
            doors.served.sessions(IDS)
        });
        let (clients, ids) = told.unwrap_or_default();
        stats.set("clients", u64::try_from(clients).unwrap_or(u64::MAX));
        stats.set("client-ids", gst::Array::new(ids));
    }

    /// One client, as `get-stats` shows it.
    pub(super) fn client(&self, id: u64) -> Option<gst::Structure> {
        let session = self.with_doors(|doors| doors.served.session(id))??;
        Some(signals::client(&session, "client"))
    }

    /// Ends a client's session.
    pub(super) fn kick(&self, id: u64) -> bool {
        let kicked = self.with_doors(|doors| doors.served.kick(id));
        kicked.unwrap_or(false)
    }

    /// Ends sessions by tag and address; returns how many.
    pub(super) fn revoke(&self, tag: Option<String>, address: Option<String>) -> u32 {
        let tag = tag.as_deref().map(Tag::parse).transpose();
        let address = address.map(|text| text.parse()).transpose();
        let (Ok(tag), Ok(address)) = (tag, address) else {
            gst::warning!(CAT, imp = self, "revoke: no such tag or address can be");
            return 0;
        };
        let ended = self.with_doors(|doors| doors.served.revoke(tag, address));
        u32::try_from(ended.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    fn with_doors<T>(&self, ask: impl FnOnce(&Doors) -> T) -> Option<T> {
        lock(&self.flow).doors().map(ask)
    }
}
