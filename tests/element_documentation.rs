//! `docs/gst_plugins_cache.json` says what the registered element has, in the form of GStreamer's own
//! documentation cache. `make doc-cache` renews it.
//! Not covered: the fields that GStreamer's scanner takes from other elements' interfaces; there are none.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use serde_json::{Map, Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/gst_plugins_cache.json");

fn hierarchy(kind: glib::Type) -> Vec<String> {
    std::iter::successors(Some(kind), |kind| kind.parent())
        .map(|kind| kind.name().to_owned())
        .collect()
}

/// A value as GStreamer's scanner writes it: a string, and a text as it stands.
fn written(value: &glib::Value) -> String {
    // Nothing, by default, and GStreamer complains of being asked to write it.
    if value.type_().is_a(glib::Type::BOXED) {
        return "NULL".to_owned();
    }
    match value.get::<Option<String>>() {
        Ok(text) => text.unwrap_or_else(|| "NULL".to_owned()),
        Err(_) => match value.serialize() {
            Ok(text) => text.to_string(),
            Err(_) => "NULL".to_owned(),
        },
    }
}

/// The least and the greatest value, where the type has them.
fn range(pspec: &glib::ParamSpec) -> Option<(String, String)> {
    macro_rules! number {
        ($($kind:ty),*) => {
            $(if let Some(pspec) = pspec.downcast_ref::<$kind>() {
                return Some((pspec.minimum().to_string(), pspec.maximum().to_string()));
            })*
        };
    }
    number!(
        glib::ParamSpecInt,
        glib::ParamSpecUInt,
        glib::ParamSpecInt64,
        glib::ParamSpecUInt64,
        glib::ParamSpecFloat,
        glib::ParamSpecDouble
    );
    None
}

fn property(pspec: &glib::ParamSpec) -> Value {
    let flags = pspec.flags();
    let raw = flags.bits();
    let mutable = |flag: u32| raw & flag != 0;
    let when = if mutable(gst::PARAM_FLAG_MUTABLE_PLAYING.bits()) {
        "playing"
    } else if mutable(gst::PARAM_FLAG_MUTABLE_PAUSED.bits()) {
        "paused"
    } else if mutable(gst::PARAM_FLAG_MUTABLE_READY.bits()) {
        "ready"
    } else {
        "null"
    };
    let mut property = json!({
        "blurb": pspec.blurb().map(ToString::to_string),
        "conditionally-available": mutable(gst::PARAM_FLAG_CONDITIONALLY_AVAILABLE.bits()),
        "construct": flags.contains(glib::ParamFlags::CONSTRUCT),
        "construct-only": flags.contains(glib::ParamFlags::CONSTRUCT_ONLY),
        "controllable": mutable(gst::PARAM_FLAG_CONTROLLABLE.bits()),
        "mutable": when,
        "readable": flags.contains(glib::ParamFlags::READABLE),
        "type": pspec.value_type().name(),
        "writable": flags.contains(glib::ParamFlags::WRITABLE),
    });
    if flags.contains(glib::ParamFlags::READABLE) || flags.contains(glib::ParamFlags::WRITABLE) {
        property["default"] = written(pspec.default_value()).into();
    }
    if let Some((least, greatest)) = range(pspec) {
        property["min"] = least.into();
        property["max"] = greatest.into();
    }
    property
}

fn signal(id: glib::subclass::SignalId) -> Value {
    let query = id.query();
    let flags = query.flags();
    let when = [
        (glib::SignalFlags::RUN_FIRST, "first"),
        (glib::SignalFlags::RUN_LAST, "last"),
        (glib::SignalFlags::RUN_CLEANUP, "cleanup"),
    ];
    let arguments = query.param_types().iter().enumerate();
    json!({
        "action": flags.contains(glib::SignalFlags::ACTION),
        "args": arguments
            .map(|(index, kind)| json!({"name": format!("arg{index}"), "type": kind.type_().name()}))
            .collect::<Vec<_>>(),
        "detailed": flags.contains(glib::SignalFlags::DETAILED),
        "return-type": query.return_type().type_().name(),
        "when": when.iter().find(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name),
    })
}

/// The names of a type's signals, which the bindings do not list.
#[allow(unsafe_code)]
fn signal_names(kind: glib::Type) -> Vec<String> {
    use glib::gobject_ffi::{g_signal_list_ids, g_signal_name};
    use glib::translate::{FromGlibPtrNone, IntoGlib};
    let mut count = 0;
    // SAFETY: the type is registered, the ids are `count` numbers that are ours to free, and a signal's
    // name lives as long as the process.
    unsafe {
        let ids = g_signal_list_ids(kind.into_glib(), &mut count);
        let names = (0..count as usize)
            .map(|index| String::from_glib_none(g_signal_name(*ids.add(index))))
            .collect();
        glib::ffi::g_free(ids.cast());
        names
    }
}

fn signals(kind: glib::Type) -> Map<String, Value> {
    (signal_names(kind).into_iter())
        .filter_map(|name| {
            let id = glib::subclass::SignalId::lookup(&name, kind)?;
            Some((name, signal(id)))
        })
        .collect()
}

fn cache() -> Value {
    gst::init().unwrap();
    h5live::element::register(None).unwrap();
    let factory = gst::ElementFactory::find("h5liveauthsink").unwrap();
    let element = factory.create().build().unwrap();
    let templates: Map<String, Value> = element
        .pad_template_list()
        .iter()
        .map(|template| {
            let description = json!({
                "caps": template.caps().to_string().replace("; ", "\n"),
                "direction": format!("{:?}", template.direction()).to_lowercase(),
                "presence": format!("{:?}", template.presence()).to_lowercase(),
            });
            (template.name_template().to_string(), description)
        })
        .collect();
    let properties: Map<String, Value> = (element.list_properties().iter())
        .filter(|pspec| pspec.owner_type() == element.type_())
        .map(|pspec| (pspec.name().to_owned(), property(pspec)))
        .collect();
    let meta = |key: &str| factory.metadata(key).map(|text| text.to_string());
    json!({"h5live": {
        "description": "The GStreamer plugin that holds h5liveauthsink",
        "elements": {"h5liveauthsink": {
            "author": meta("author"),
            "description": meta("description"),
            "hierarchy": hierarchy(element.type_()),
            "klass": meta("klass"),
            "long-name": meta("long-name"),
            "pad-templates": templates,
            "properties": properties,
            "rank": "none",
            "signals": signals(element.type_()),
        }},
        "filename": "gsth5live",
        "license": "MIT/X11",
        "other-types": {},
        "package": "gst-plugin-h5live",
        "source": "gst-plugin-h5live",
        "tracers": {},
        "url": env!("CARGO_PKG_REPOSITORY"),
    }})
}

#[test]
fn the_documentation_cache_is_that_of_the_element() {
    let told = format!("{}\n", serde_json::to_string_pretty(&cache()).unwrap());
    if std::env::var_os("H5LIVE_RENEW").is_some() {
        std::fs::write(FILE, &told).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        kept == told,
        "docs/gst_plugins_cache.json is not that of the element: run `make doc-cache` and look at the difference"
    );
}
