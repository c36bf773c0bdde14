//! The GObject shell of `h5liveauthsink`.
//!
//! Threads: each pad has a streaming thread of its upstream; properties, state changes and `detach`
//! come from the application's. All meet in `flow`, whose lock is held for the muxing of one buffer
//! at most, or for a look over the clients that the application asks for: publishing never waits for a
//! viewer. Signals and messages about clients come from a thread of their own (`dispatch`). No message is
//! posted and no pad or peer is called with the lock held, and it is never held together with `settings`.
//! With `sync` a pad's thread waits for the clock (`sync`) before it takes the lock.
//! A panic becomes an error message: pad functions catch theirs here, virtual methods by the bindings.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

use super::caps;
use super::clients::Paces;
use super::flow::{Flow, Taken, Target};
use super::properties;
use super::query;
use super::settings::Settings;
use super::signals;
use super::standalone;
use super::sync::{self, Waited, Waits};
use super::track::Kind;
use crate::hub::Publisher;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "h5liveauthsink",
        gst::DebugColorFlags::empty(),
        Some("H5Live playback behind tokens"),
    )
});

/// The element's instance.
#[derive(Default)]
pub struct H5LiveAuthSink {
    settings: Mutex<Settings>,
    given: Mutex<Option<Arc<Publisher>>>,
    pub(super) flow: Mutex<Flow>,
    pub(super) paces: Mutex<Paces>,
    waits: Arc<Waits>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl H5LiveAuthSink {
    pub(super) fn set_publisher(&self, publisher: Arc<Publisher>) {
        *lock(&self.given) = Some(publisher);
    }

    pub(super) fn detach(&self) {
        let given = lock(&self.given).take();
        let target = lock(&self.flow).stop();
        drop(target);
        drop(given);
    }

    pub(super) fn fragments(&self) -> u64 {
        lock(&self.flow).counts().fragments
    }

    fn start(&self) -> Result<(), gst::StateChangeError> {
        let given = lock(&self.given).clone();
        let target = match given {
            Some(publisher) => Target::Given(publisher),
            None => {
                let settings = lock(&self.settings).clone();
                let doors = standalone::open(&settings, &self.obj()).map_err(|error| {
                    gst::element_imp_error!(self, gst::ResourceError::Settings, ("{}", error));
                    gst::StateChangeError
                })?;
                gst::info!(CAT, imp = self, "listening on port {}", doors.port);
                Target::Own(doors)
            }
        };
        *lock(&self.paces) = Paces::default();
        lock(&self.flow).start(target);
        // So that `gst-launch-1.0 -v` shows which port port=0 took.
        self.obj().notify("bound-port");
        Ok(())
    }

    fn stop(&self) {
        let target = lock(&self.flow).stop();
        drop(target);
        self.obj().notify("bound-port");
    }

    fn post_eos(&self, seqnum: Option<gst::Seqnum>) {
        if let Some(seqnum) = seqnum {
            gst::debug!(CAT, imp = self, "all pads are at their end");
            let message = gst::message::Eos::builder()
                .src(&*self.obj())
                .seqnum(seqnum)
                .build();
            // It fails where nobody has given the element a bus: then nobody asks.
            let _ = self.obj().post_message(message);
        }
    }

    fn sink_chain(
        &self,
        pad: &gst::Pad,
        kind: Kind,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.wait_until_due(pad, kind, &buffer)?;
        let taken = lock(&self.flow).push(kind, buffer);
        match taken {
            Taken::Muxed => Ok(gst::FlowSuccess::Ok),
            Taken::LeftOut(reason) => {
                gst::warning!(
                    CAT,
                    imp = self,
                    "left out a buffer of {}: {reason}",
                    kind.name()
                );
                Ok(gst::FlowSuccess::Ok)
            }
            Taken::FirstUntimed => {
                gst::element_imp_warning!(
                    self,
                    gst::StreamError::Format,
                    ("buffers without time are left out; let the source set timestamps (do-timestamp=true)")
                );
                Ok(gst::FlowSuccess::Ok)
            }
            Taken::Stopped => Err(gst::FlowError::Flushing),
            Taken::NoCaps => Err(gst::FlowError::NotNegotiated),
        }
    }

    fn wait_until_due(
        &self,
        pad: &gst::Pad,
        kind: Kind,
        buffer: &gst::BufferRef,
    ) -> Result<(), gst::FlowError> {
        let timing = lock(&self.settings).timing();
        if !timing.sync {
            return Ok(());
        }
        let Some(due) = lock(&self.flow).due(kind, buffer) else {
            return Ok(());
        };
        match self.waits.wait(kind, &*self.obj(), due) {
            Waited::Flushed => return Err(gst::FlowError::Flushing),
            Waited::Due(late) if late > 0 && timing.qos => {
                gst::debug!(CAT, obj = pad, "late by {late} ns");
                pad.push_event(sync::late(due, late, buffer.duration()));
            }
            Waited::Due(_) => {}
        }
        Ok(())
    }

    /// With `sync`, an end comes when the last buffer is over. `false`: it was flushed away.
    fn wait_until_over(&self, kind: Kind) -> bool {
        if !lock(&self.settings).timing().sync {
            return true;
        }
        let end = lock(&self.flow).end_of(kind);
        end.is_none_or(|end| self.waits.wait(kind, &*self.obj(), end) != Waited::Flushed)
    }

    fn sink_event(&self, pad: &gst::Pad, kind: Kind, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{:?}", event.type_());
        match event.view() {
            gst::EventView::Caps(event) => {
                let accepted = lock(&self.flow).set_caps(kind, &event.caps_owned());
                accepted
                    .inspect_err(|refusal| {
                        gst::element_imp_error!(self, gst::StreamError::Format, ("{}", refusal));
                    })
                    .is_ok()
            }
            gst::EventView::Segment(event) => {
                let timed = lock(&self.flow).set_segment(kind, event.segment());
                if !timed {
                    gst::element_imp_error!(
                        self,
                        gst::StreamError::Format,
                        ("the segment is not in time, or plays backwards; put a parser before this element, and play forwards")
                    );
                }
                timed
            }
            gst::EventView::StreamStart(_) => {
                lock(&self.flow).stream_start(kind);
                true
            }
            gst::EventView::FlushStart(_) => {
                self.waits.set_flushing(kind, true);
                true
            }
            gst::EventView::FlushStop(_) => {
                self.waits.set_flushing(kind, false);
                lock(&self.flow).flush(kind);
                true
            }
            gst::EventView::Eos(event) => {
                if !self.wait_until_over(kind) {
                    return false;
                }
                let ended = lock(&self.flow).eos(kind, event.seqnum());
                self.post_eos(ended);
                true
            }
            // Gaps hold nothing up: the muxer does not wait for a silent pad.
            _ => true,
        }
    }

    fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            // Caps are judged when they come, so that a refusal can say what to do about it.
            gst::QueryViewMut::AcceptCaps(query) => {
                query.set_result(true);
                true
            }
            gst::QueryViewMut::Latency(query) => self.latency(query),
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }

    fn latency(&self, query: &mut gst::query::Latency) -> bool {
        let pads = lock(&self.flow).pads();
        query::latency(&pads, query)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for H5LiveAuthSink {
    const NAME: &'static str = "H5LiveAuthSink";
    type Type = super::H5LiveAuthSink;
    type ParentType = gst::Element;
}

impl ObjectImpl for H5LiveAuthSink {
    fn properties() -> &'static [glib::ParamSpec] {
        properties::properties()
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        signals::signals()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if !lock(&self.settings).set(pspec.name(), value) {
            gst::warning!(CAT, imp = self, "{} can't be set so", pspec.name());
        }
        let timing = lock(&self.settings).timing();
        self.waits.set_ts_offset(timing.ts_offset);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "bound-port" => u32::from(lock(&self.flow).port().unwrap_or(0)).to_value(),
            "stats" => {
                let mut stats = lock(&self.flow).counts().structure();
                self.add_client_stats(&mut stats);
                stats.to_value()
            }
            name => lock(&self.settings)
                .get(name)
                .unwrap_or_else(|| pspec.default_value().clone()),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }
}

impl GstObjectImpl for H5LiveAuthSink {}

impl ElementImpl for H5LiveAuthSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "H5Live sink with token security",
                "Sink/Network",
                "Plays H.264, H.265, AV1, AAC and Opus in browsers, by WebSocket, for whoever has a valid token",
                "The h5live developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            [Kind::Video, Kind::Audio]
                .into_iter()
                .filter_map(|kind| {
                    let (direction, presence) =
                        (gst::PadDirection::Sink, gst::PadPresence::Request);
                    gst::PadTemplate::new(kind.name(), direction, presence, &caps::template(kind))
                        .ok()
                })
                .collect()
        });
        TEMPLATES.as_ref()
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::ReadyToPaused => self.start()?,
            gst::StateChange::PlayingToPaused => {
                self.waits.set_playing(false);
                lock(&self.flow).set_playing(false);
            }
            _ => {}
        }
        let result = self.parent_change_state(transition);
        match transition {
            gst::StateChange::ReadyToPaused if result.is_err() => self.stop(),
            gst::StateChange::PausedToPlaying if result.is_ok() => {
                self.waits.set_playing(true);
                let ended = lock(&self.flow).set_playing(true);
                self.post_eos(ended);
            }
            // After the parent: it has waited for the pads' threads.
            gst::StateChange::PausedToReady => self.stop(),
            _ => {}
        }
        result
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        _name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let kind = [Kind::Video, Kind::Audio]
            .into_iter()
            .find(|kind| kind.name() == template.name_template())?;
        let pad = gst::Pad::builder_from_template(template)
            .name(kind.name())
            .activatemode_function({
                let waits = Arc::clone(&self.waits);
                move |_, _, _, active| {
                    waits.set_flushing(kind, !active);
                    Ok(())
                }
            })
            .chain_function(move |pad, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |this| this.sink_chain(pad, kind, buffer),
                )
            })
            .event_function(move |pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| this.sink_event(pad, kind, event),
                )
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |this| this.sink_query(pad, query))
            })
            .build();
        if !lock(&self.flow).add(kind, pad.clone()) {
            gst::warning!(CAT, imp = self, "there is a pad {} already", kind.name());
            return None;
        }
        // Adding activates it where the element runs already.
        if let Err(error) = self.obj().add_pad(&pad) {
            gst::warning!(CAT, imp = self, "{error}");
            lock(&self.flow).remove(&pad);
            return None;
        }
        Some(pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        // Waits for the pad's thread, which never waits for us.
        let _ = pad.set_active(false);
        let ended = lock(&self.flow).remove(pad);
        if let Err(error) = self.obj().remove_pad(pad) {
            gst::warning!(CAT, imp = self, "{error}");
        }
        self.post_eos(ended);
    }

    fn send_event(&self, event: gst::Event) -> bool {
        if !event.is_upstream() {
            return self.parent_send_event(event);
        }
        if let gst::EventView::Latency(event) = event.view() {
            self.waits.set_latency(event.latency());
        }
        let pads = lock(&self.flow).pads();
        // Not any(): each upstream has to hear of it.
        let sent = pads.iter().filter(|pad| pad.push_event(event.clone()));
        sent.count() > 0
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Latency(query) => self.latency(query),
            gst::QueryViewMut::Position(query) if query.format() == gst::Format::Time => {
                let position = lock(&self.flow).position();
                position.is_some_and(|position| {
                    query.set(position);
                    true
                })
            }
            _ => self.parent_query(query),
        }
    }
}
