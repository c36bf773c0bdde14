//! The element's signals, and what they carry: never a token, and nothing that opens anything.

use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

use super::H5LiveAuthSink;
use crate::http::audience::Farewell;
use crate::http::leases::{End, Listed};
use crate::token::{Facts, Grant, Host, Scope, Tag, UnixSeconds};

/// `gboolean authorize-client (request: GstStructure, answer: GstPromise)`: the verifier lets a client in;
/// may it play? FALSE refuses it. TRUE: `answer` is replied to, now or later, with null, or with a
/// structure that has `allow` (boolean) and `expires` (seconds since 1970). All handlers must agree.
pub(super) const AUTHORIZE_CLIENT: &str = "authorize-client";

/// `client-added (id: guint64, client: GstStructure)`.
pub(super) const CLIENT_ADDED: &str = "client-added";

/// `client-removed (id: guint64, client: GstStructure)`, with `reason` and counters.
pub(super) const CLIENT_REMOVED: &str = "client-removed";

pub(super) fn signals() -> &'static [Signal] {
    static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
        let (structure, id) = (gst::Structure::static_type(), u64::static_type());
        let text = String::static_type();
        vec![
            Signal::builder(AUTHORIZE_CLIENT)
                .param_types([structure, gst::Promise::static_type()])
                .return_type::<bool>()
                .accumulator(|_, _, answer| match answer.get::<bool>() {
                    Ok(true) => std::ops::ControlFlow::Continue(true.to_value()),
                    _ => std::ops::ControlFlow::Break(false.to_value()),
                })
                .build(),
            Signal::builder(CLIENT_ADDED)
                .param_types([id, structure])
                .build(),
            Signal::builder(CLIENT_REMOVED)
                .param_types([id, structure])
                .build(),
            // Of one client; null where there is none of this id.
            Signal::builder("get-stats")
                .param_types([id])
                .return_type::<Option<gst::Structure>>()
                .action()
                .class_handler(|values| {
                    let (element, id) = (element(values)?, argument::<u64>(values, 1)?);
                    Some(element.imp().client(id).to_value())
                })
                .build(),
            // Whether there was one of this id.
            Signal::builder("kick-client")
                .param_types([id])
                .return_type::<bool>()
                .action()
                .class_handler(|values| {
                    let (element, id) = (element(values)?, argument::<u64>(values, 1)?);
                    Some(element.imp().kick(id).to_value())
                })
                .build(),
            // By tag and by address, each where it is not null; how many were ended.
            Signal::builder("revoke")
                .param_types([text, text])
                .return_type::<u32>()
                .action()
                .class_handler(|values| {
                    let element = element(values)?;
                    let tag = argument::<Option<String>>(values, 1)?;
                    let address = argument::<Option<String>>(values, 2)?;
                    Some(element.imp().revoke(tag, address).to_value())
                })
                .build(),
        ]
    });
    SIGNALS.as_ref()
}

fn element(values: &[glib::Value]) -> Option<H5LiveAuthSink> {
    argument(values, 0)
}

fn argument<T: for<'a> glib::value::FromValue<'a>>(
    values: &[glib::Value],
    index: usize,
) -> Option<T> {
    values.get(index)?.get().ok()
}

/// Whether somebody listens to a signal.
pub(super) fn is_connected(element: &H5LiveAuthSink, name: &str) -> bool {
    let id = glib::subclass::SignalId::lookup(name, H5LiveAuthSink::static_type());
    id.is_some_and(|id| glib::signal::signal_has_handler_pending(element, id, None, false))
}

/// What `authorize-client` is asked.
pub(super) fn request(grant: &Grant, facts: &Facts) -> gst::Structure {
    let scope = match grant.scope() {
        Scope::Stream(_) => "stream",
        Scope::Orga(_) => "orga",
    };
    gst::Structure::builder("request")
        .field("verdict", if grant.is_open() { "open" } else { "granted" })
        .field("door", if grant.is_open() { "open" } else { "gated" })
        .field("stream", grant.stream().as_str())
        .field("client-address", facts.ip.to_canonical().to_string())
        .field_if_some("page-host", facts.referer.as_ref().map(Host::to_string))
        .field("scope", scope)
        .field_if_some("tag", grant.tag().map(Tag::as_str))
        .field_if_some("expires", grant.expires().map(|UnixSeconds(at)| at))
        .field("address-bound", grant.ip().is_some())
        .field("page-bound", grant.referer().is_some())
        .build()
}

/// A session.
pub(super) fn client(session: &Listed, name: &str) -> gst::Structure {
    let since = session.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    gst::Structure::builder(name)
        .field("id", session.id)
        .field("stream", session.stream.as_str())
        .field("client-address", session.client.to_string())
        .field_if_some("way", session.way.map(|way| way.as_str()))
        .field("door", if session.open { "open" } else { "gated" })
        .field_if_some("tag", session.tag.as_ref().map(Tag::as_str))
        .field("since", since.as_secs())
        .field(
            "duration-ms",
            millis(session.since.elapsed().unwrap_or_default()),
        )
        .build()
}

/// One that is over.
pub(super) fn gone(session: &Listed, farewell: Farewell, name: &str) -> gst::Structure {
    let mut structure = client(session, name);
    structure.set("reason", reason(farewell));
    structure.set("duration-ms", millis(farewell.lasted));
    structure.set("skips", farewell.skips);
    structure
}

/// Why a client is gone; stable.
fn reason(farewell: Farewell) -> &'static str {
    match farewell.end {
        Some(End::Withdrawn) => "revoked",
        Some(End::Expired) => "expired",
        Some(End::Replaced) => "replaced",
        None if farewell.stalled => "dropped",
        None => "left",
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
