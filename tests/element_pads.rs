//! The pads of `h5liveauthsink`, the caps that they take, and what its properties and queries say.
//! Not covered: what becomes of the data (element_flow.rs), and the doors (element_doors.rs).
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, FRAME, audio_caps, picture, sound, video_caps, with, without};
use gstreamer as gst;
use gstreamer::prelude::*;

const STATES: [gst::State; 4] = [
    gst::State::Null,
    gst::State::Ready,
    gst::State::Paused,
    gst::State::Playing,
];

/// Gives caps to a pad that plays. `false`: they were refused.
fn take_caps(bench: &Bench, name: &str, caps: &gst::Caps) -> bool {
    let pad = bench.element.static_pad(name).unwrap();
    pad.send_event(gst::event::Caps::new(caps))
}

/// Caps with another decoder record.
fn with_record(mut caps: gst::Caps, record: &[u8]) -> gst::Caps {
    let record = gst::Buffer::from_slice(record.to_vec());
    let structure = caps.make_mut().structure_mut(0).unwrap();
    structure.set("codec_data", record);
    caps
}

#[test]
fn the_templates_are_what_the_parsers_give() {
    let bench = Bench::new();
    let list = bench.element.pad_template_list();
    let told: Vec<String> = list
        .iter()
        .map(|template| format!("{} {:?}", template.name_template(), template.presence()))
        .collect();
    assert_eq!(told, ["video Request", "audio Request"]);
    for (caps, name) in [(video_caps(320, 180), "video"), (audio_caps(), "audio")] {
        let template = bench.element.pad_template(name).unwrap();
        assert!(caps.can_intersect(template.caps()), "{name}");
    }
    let video = bench.element.pad_template("video").unwrap();
    let bytes = with(video_caps(320, 180), "stream-format", "byte-stream");
    assert!(
        !bytes.can_intersect(video.caps()),
        "h264parse negotiates avc"
    );
}

#[test]
fn caps_that_do_not_fit_are_errors_that_say_what_to_do() {
    let video = || video_caps(320, 180);
    let (v, a) = ("video", "audio");
    let rows = [
        (
            v,
            with(video(), "stream-format", "byte-stream"),
            "h264parse",
        ),
        (v, with(video(), "stream-format", "avc3"), "h264parse"),
        (v, with(video(), "alignment", "nal"), "h264parse"),
        (v, without(video(), "codec_data"), "h264parse"),
        (v, without(video(), "width"), "h264parse"),
        (v, video_caps(70_000, 16), "65535x65535"),
        (v, gst::Caps::new_empty_simple("video/x-h265"), "h265parse"),
        (v, gst::Caps::new_empty_simple("video/x-vp9"), "av1parse"),
        (v, audio_caps(), "H.264"),
        (a, with(audio_caps(), "stream-format", "adts"), "aacparse"),
        (a, without(audio_caps(), "codec_data"), "aacparse"),
        (a, gst::Caps::new_empty_simple("audio/x-opus"), "opusparse"),
    ];
    for (name, caps, said) in rows {
        let bench = Bench::new();
        let _pads = (bench.bare_video(), bench.bare_audio());
        assert!(!take_caps(&bench, name, &caps), "{caps}");
        let error = bench.error();
        assert!(error.contains(said), "{caps}: {error}");
        assert!(!error.contains("codec_data=("), "no bytes in {error}");
    }
}

#[test]
fn broken_decoder_records_are_errors_and_never_panics() {
    let good = video_caps(320, 180);
    let record = good.structure(0).unwrap().get::<gst::Buffer>("codec_data");
    let record = record.unwrap().map_readable().unwrap().to_vec();
    let bench = Bench::new();
    let _pads = (bench.bare_video(), bench.bare_audio());
    for length in 1..record.len() {
        let cut = with_record(good.clone(), &record[..length]);
        assert!(!take_caps(&bench, "video", &cut), "{length} bytes");
        let error = bench.error();
        assert!(error.contains("avcC"), "{error}");
    }
    let broken: [&[u8]; 5] = [&[0xff], &[0xff; 64], &[0x11], &[0; 5], &[0x0a, 0x10]];
    for record in broken {
        let caps = with_record(audio_caps(), record);
        assert!(!take_caps(&bench, "audio", &caps), "{record:02x?}");
        let error = bench.error();
        assert!(error.contains("AAC"), "{error}");
    }
    assert!(take_caps(&bench, "video", &good), "it is not broken itself");
}

#[test]
fn another_picture_size_makes_another_init_segment_at_its_keyframe() {
    let bench = Bench::new();
    let mut pad = bench.video();
    for n in 0..30 {
        pad.push(picture(n * FRAME, n == 0)).unwrap();
    }
    let mut viewer = bench.viewer();
    let info = viewer.payload("onStreamInfo");
    assert_eq!(info["videoInfo"]["width"], 320);

    pad.set_src_caps(video_caps(640, 360));
    // No keyframe yet: it can't be decoded with either init segment.
    pad.push(picture(30 * FRAME, false)).unwrap();
    assert_eq!(bench.stat("init-segments"), 1);
    pad.push(picture(31 * FRAME, true)).unwrap();
    assert_eq!(bench.stat("init-segments"), 2);
    let info = viewer.payload("onStreamInfoUpdate");
    assert_eq!(info["videoInfo"]["height"], 360);
    assert_eq!(viewer.next(), "init");

    // The same caps again, as demuxers send after each header, change nothing.
    pad.set_src_caps(video_caps(640, 360));
    pad.push(picture(32 * FRAME, false)).unwrap();
    assert_eq!(bench.stat("init-segments"), 2);
}

#[test]
fn pads_come_and_go_in_every_state() {
    for state in STATES {
        let bench = Bench::new();
        assert!(bench.set_state(state), "{state:?}");
        for name in ["video", "audio", "video"] {
            let pad = bench.element.request_pad_simple(name).unwrap();
            assert_eq!(pad.name(), name);
            assert_eq!(pad.is_active(), state >= gst::State::Paused, "{state:?}");
            bench.element.release_request_pad(&pad);
            assert!(!pad.is_active());
            assert!(bench.element.static_pad(name).is_none());
        }
        assert!(bench.silent(gst::MessageType::Error), "{state:?}");
        assert!(bench.silent(gst::MessageType::Eos), "{state:?}");
    }
}

#[test]
fn there_is_one_pad_of_a_kind() {
    let bench = Bench::new();
    let template = bench.element.pad_template("video").unwrap();
    let pad = bench.element.request_pad(&template, None, None).unwrap();
    assert_eq!(pad.name(), "video");
    assert!(bench.element.request_pad(&template, None, None).is_none());
    assert!(bench.element.request_pad_simple("other").is_none());
    bench.element.release_request_pad(&pad);
    assert!(bench.element.request_pad(&template, None, None).is_some());
}

#[test]
fn a_pad_that_comes_or_goes_while_it_plays_changes_the_tracks() {
    let bench = Bench::new();
    let mut video = bench.video();
    for n in 0..30 {
        video.push(picture(n * FRAME, n == 0)).unwrap();
    }
    let mut viewer = bench.viewer();
    assert!(viewer.payload("onStreamInfo")["audioInfo"].is_null());

    let mut audio = bench.audio();
    audio.push(sound(1000)).unwrap();
    video.push(picture(1000, true)).unwrap();
    let told = viewer.payload("onStreamInfo");
    assert_eq!(told["audioInfo"]["sampleRate"], 48_000);

    let pad = bench.element.static_pad("audio").unwrap();
    bench.element.release_request_pad(&pad);
    assert_ne!(audio.push(sound(1021)), Ok(gst::FlowSuccess::Ok));
    video.push(picture(2000, true)).unwrap();
    assert!(viewer.payload("onStreamInfo")["audioInfo"].is_null());
}

#[test]
fn latency_is_upstreams_and_live() {
    let bench = Bench::new();
    let (mut video, mut audio) = (bench.video(), bench.audio());
    video.set_upstream_latency(gst::ClockTime::from_mseconds(40));
    audio.set_upstream_latency(gst::ClockTime::from_mseconds(90));
    let mut query = gst::query::Latency::new();
    assert!(bench.element.query(&mut query));
    let (live, min, _) = query.result();
    assert!(live);
    assert_eq!(min.mseconds(), 90, "the later pad's");
    let mut query = gst::query::Latency::new();
    let pad = bench.element.static_pad("video").unwrap();
    assert!(pad.query(&mut query), "a pad answers too");
    assert!(query.result().0);
}

#[test]
fn it_never_prerolls() {
    let bench = Bench::new();
    let _pad = bench.element.request_pad_simple("video").unwrap();
    for state in [gst::State::Paused, gst::State::Playing, gst::State::Paused] {
        let changed = bench.element.set_state(state);
        assert_eq!(changed, Ok(gst::StateChangeSuccess::Success), "{state:?}");
    }
}

#[test]
fn the_secret_is_written_and_never_read() {
    let bench = Bench::new();
    assert_eq!(bench.element.property::<Option<String>>("secret"), None);
    bench
        .element
        .set_property("secret", "another secret of 16 bytes");
    assert_eq!(bench.element.property::<Option<String>>("secret"), None);
    let stats = bench
        .element
        .property::<gst::Structure>("stats")
        .to_string();
    assert!(!stats.contains("secret"), "{stats}");
}

#[test]
fn properties_have_the_documented_defaults() {
    gst::init().unwrap();
    h5live::element::register(None).unwrap();
    let element = gst::ElementFactory::make("h5liveauthsink").build().unwrap();
    let text = |name: &str| element.property::<Option<String>>(name);
    for name in [
        "stream-name",
        "secret",
        "secret-file",
        "tls-certificate-file",
        "tls-key-file",
    ] {
        assert_eq!(text(name), None, "{name}");
    }
    assert_eq!(text("address").as_deref(), Some("127.0.0.1"));
    assert_eq!(element.property::<u32>("port"), 8181);
    assert_eq!(element.property::<u32>("bound-port"), 0);
    assert!(!element.property::<bool>("plain-http"));
}

#[test]
fn settings_that_do_not_do_are_errors_that_say_what_to_set() {
    type Row = (&'static str, fn(&gst::Element));
    let rows: [Row; 5] = [
        ("stream-name", |e| {
            e.set_property("stream-name", None::<&str>)
        }),
        ("stream name", |e| e.set_property("stream-name", "x y=1")),
        ("secret-file", |e| e.set_property("secret", None::<&str>)),
        ("IP address", |e| e.set_property("address", "localhost")),
        ("plain-http", |e| e.set_property("address", "0.0.0.0")),
    ];
    for (said, set) in rows {
        let bench = Bench::new();
        set(&bench.element);
        assert!(!bench.set_state(gst::State::Playing), "{said}");
        let error = bench.error();
        assert!(error.contains(said), "{said} in {error}");
        assert!(bench.set_state(gst::State::Null));
    }
}
