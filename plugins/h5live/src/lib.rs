//! The loadable plugin: `h5liveauthsink` for any GStreamer application.
//!
//! A thin shell around `h5live::element`; the server links that directly.

// The macro's entry points are exported to C by name, which the language counts as unsafe.
#![allow(missing_docs)] // of what plugin_define! makes
#![allow(unsafe_code)]

use gst::glib;
use gstreamer as gst;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    h5live::element::register(Some(plugin))
}

gst::plugin_define!(
    h5live,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_REPOSITORY"),
    env!("BUILD_REL_DATE")
);
