//! `h5liveauthsink`: H.264, H.265 or AV1 and AAC or Opus in, token-gated H5Live playback out.
//!
//! Alone it opens its own listener; several in one process with the same address share it. This
//! plays what is published to an RTMP server, for whoever has a token of the secret:
//!
//! ```text
//! gst-launch-1.0 rtmpsrc location=rtmp://127.0.0.1/live/ABCDE-demo ! flvdemux name=d  \
//!     d.video ! queue ! h264parse ! h5liveauthsink name=s stream-name=ABCDE-demo \
//!         secret-file=demo.secret address=127.0.0.1 port=8181 \
//!     d.audio ! queue ! aacparse ! s.
//! ```
//!
//! With `records=` in place of `secret-file=` it plays for whoever has a token that `h5live-server` with the
//! same records has issued, for the stream or for its organisation; what is withdrawn there ends here too.
//!
//! Inside the server it is given a publisher by [`H5LiveAuthSink::set_publisher`] instead.
//!
//! It hands on every buffer as it comes: it never prerolls, and never blocks its upstream. A source that
//! is not live needs `sync=true`, by which each pad waits for the clock as other sinks do.

mod audience;
mod caps;
mod clients;
mod dispatch;
mod flow;
mod imp;
mod pace;
mod properties;
mod query;
#[cfg(feature = "records")]
mod records;
#[cfg(not(feature = "records"))]
#[path = "no_records.rs"]
mod records;
mod settings;
mod signals;
mod standalone;
mod sync;
mod track;

use std::sync::Arc;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

use crate::hub::Publisher;

glib::wrapper! {
    /// The element; see the [module](self).
    pub struct H5LiveAuthSink(ObjectSubclass<imp::H5LiveAuthSink>)
        @extends gst::Element, gst::Object;
}

impl H5LiveAuthSink {
    /// An element that is in no plugin's registry.
    pub fn new() -> Self {
        glib::Object::new()
    }

    /// Makes it publish here from its next READY to PAUSED on: it then opens no listener, and needs
    /// neither a stream name nor a secret.
    pub fn set_publisher(&self, publisher: Arc<Publisher>) {
        self.imp().set_publisher(publisher);
    }

    /// Lets go of its publisher at once and takes nothing more, whatever its state. Does not wait for
    /// the pipeline, so it also works on one whose source hangs; doors of its own it closes first,
    /// which takes as long as its viewers' goodbye, under a second.
    pub fn detach(&self) {
        self.imp().detach();
    }

    /// Fragments published since its last start; one that stands still tells of a silent source.
    pub fn fragments(&self) -> u64 {
        self.imp().fragments()
    }
}

impl Default for H5LiveAuthSink {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes the element known by its name, for a plugin or, without one, for this process.
pub fn register(plugin: Option<&gst::Plugin>) -> Result<(), glib::BoolError> {
    properties::OnExpiry::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(
        plugin,
        "h5liveauthsink",
        gst::Rank::NONE,
        H5LiveAuthSink::static_type(),
    )
}
