//! The hub without sockets. Not covered here: who writes the bytes (`fanout`).
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::topic::{TopicId, Wake};
use super::*;
use crate::media::fragment::{AudioInfo, Fragment, Init, Output, Span, StreamInfo};
use crate::token::{
    Claims, Facts, Grant, KeyLookup, Parameters, Presented, Scope, Secret, StreamName, UnixSeconds,
    mint,
};

fn grant(stream: &str) -> Grant {
    let stream = StreamName::parse(stream).unwrap();
    let key = Secret::new(*b"a secret of some length").unwrap().key();
    let minted = mint(&key, &Claims::of(Scope::Stream(stream.clone())));
    let parameters = Parameters {
        token: Some(minted.token.clone()),
        options: Some("0".into()),
        ..Parameters::default()
    };
    let facts = Facts {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        referer: None,
    };
    Presented::read(&parameters, &stream)
        .unwrap()
        .verify(KeyLookup::Found(key), &facts, UnixSeconds(0), 0)
        .unwrap()
}

fn source() -> Source {
    Source {
        origin: OriginName::new("o"),
        stream: StreamName::parse("A-b").unwrap(),
    }
}

fn subscribe(hub: &Arc<Hub>) -> Subscription {
    hub.subscribe(&grant("A-b"), &OriginName::new("o")).unwrap()
}

fn init(text: &'static str, continues: bool) -> Output {
    Output::Init(Init {
        bytes: Bytes::from_static(text.as_bytes()),
        info: StreamInfo {
            mime_type: "video/mp4".into(),
            video: None,
            audio: Some(AudioInfo {
                sample_rate: 48000,
                channels: 2,
            }),
        },
        continues,
    })
}

/// A fragment whose bytes are its name, padded so that ten of them are past the lag of these tests.
fn fragment(name: &str, random_access: bool) -> Output {
    let bytes = format!("<{name}>{}", ".".repeat(100));
    Output::Fragment(Fragment {
        bytes: bytes.into(),
        random_access,
        time_ms: 7,
        span: Span::default(),
    })
}

fn small() -> Limits {
    Limits {
        lag_bytes: 600,
        ring_bytes: 6000,
        streams: 2,
        ..Limits::default()
    }
}

/// What a subscriber is sent, as the names of events and fragments in their order.
fn read(subscription: &mut Subscription) -> Vec<String> {
    let mut out = Vec::new();
    while subscription.next(1, &mut out) {}
    let bytes = out.concat();
    let text = String::from_utf8_lossy(&bytes);
    let mut names = Vec::new();
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        if c == '<' {
            names.push(rest[1..rest.find('>').unwrap()].to_owned());
        } else if let Some(event) = rest.strip_prefix("\"eventType\":\"") {
            names.push(event[..event.find('"').unwrap()].to_owned());
        }
    }
    names
}

#[test]
fn joining_starts_at_the_last_keyframe() {
    let hub = Hub::new(small());
    let publisher = hub.publish(&source()).unwrap();
    publisher.publish(fragment("before any init", true));
    publisher.publish(init("<init>", false));
    for (name, key) in [("k1", true), ("d1", false), ("k2", true), ("d2", false)] {
        publisher.publish(fragment(name, key));
    }
    let mut subscription = subscribe(&hub);
    let start = ["onStreamInfo", "init", "onRandomAccessPoint", "k2", "d2"];
    assert_eq!(read(&mut subscription), start);
    assert!(read(&mut subscription).is_empty());
    publisher.publish(fragment("d3", false));
    assert_eq!(read(&mut subscription), ["d3"]);
    assert_eq!(publisher.fragments(), 5);
}

#[test]
fn whoever_waits_gets_the_stream_when_it_comes() {
    let hub = Hub::new(small());
    let mut subscription = subscribe(&hub);
    assert!(read(&mut subscription).is_empty());
    let publisher = hub.publish(&source()).unwrap();
    publisher.metadata("onMetaData", "{}");
    publisher.publish(init("<init>", false));
    assert!(read(&mut subscription).is_empty(), "nothing to play yet");
    publisher.publish(fragment("k", true));
    let start = [
        "onStreamInfo",
        "init",
        "onMetaData",
        "onRandomAccessPoint",
        "k",
    ];
    assert_eq!(read(&mut subscription), start);
}

#[test]
fn whoever_joins_is_told_what_describes_the_stream_and_no_cue_point_that_is_over() {
    let hub = Hub::new(small());
    let publisher = hub.publish(&source()).unwrap();
    publisher.metadata("onMetaData", "{}");
    publisher.publish(init("<init>", false));
    publisher.metadata("onCuePoint", "{}");
    publisher.publish(fragment("k", true));
    let mut out = Vec::new();
    subscribe(&hub).next(usize::MAX, &mut out);
    let told = String::from_utf8_lossy(&out.concat()).into_owned();
    let count = |handler: &str| {
        told.matches(&format!(r#""handlerName":"{handler}""#))
            .count()
    };
    assert_eq!((count("onMetaData"), count("onCuePoint")), (1, 0), "{told}");
}

#[test]
fn a_new_init_goes_to_those_who_play_and_to_those_who_join() {
    let hub = Hub::new(small());
    let publisher = hub.publish(&source()).unwrap();
    publisher.publish(init("<init1>", false));
    publisher.publish(fragment("k1", true));
    let mut playing = subscribe(&hub);
    read(&mut playing);
    publisher.publish(init("<init2>", true));
    let mut joining = subscribe(&hub);
    assert!(read(&mut joining).is_empty(), "k1 is not of this init");
    publisher.publish(fragment("k2", true));
    let update = ["onStreamInfoUpdate", "init2", "onRandomAccessPoint", "k2"];
    assert_eq!(read(&mut playing), update);
    let start = ["onStreamInfo", "init2", "onRandomAccessPoint", "k2"];
    assert_eq!(read(&mut joining), start);
}

#[test]
fn a_stop_is_told_once_and_playing_goes_on_when_the_source_is_back() {
    let hub = Hub::new(small());
    let publisher = hub.publish(&source()).unwrap();
    publisher.publish(init("<init1>", false));
    publisher.publish(fragment("k1", true));
    let mut subscription = subscribe(&hub);
    read(&mut subscription);
    drop(publisher);
    assert_eq!(read(&mut subscription), ["onStreamStatus"]);
    assert!(read(&mut subscription).is_empty());
    assert!(read(&mut subscribe(&hub)).is_empty(), "nothing is live");
    let publisher = hub.publish(&source()).unwrap();
    publisher.publish(init("<init2>", true));
    publisher.publish(fragment("k2", true));
    let start = ["onStreamInfo", "init2", "onRandomAccessPoint", "k2"];
    assert_eq!(read(&mut subscription), start);
}

#[test]
fn whoever_lags_skips_to_the_next_keyframe() {
    let hub = Hub::new(small());
    let publisher = hub.publish(&source()).unwrap();
    publisher.publish(init("<init>", false));
    publisher.publish(fragment("k1", true));
    let mut slow = subscribe(&hub);
    read(&mut slow);
    for n in 0..10 {
        publisher.publish(fragment(&format!("d{n}"), false));
    }
    publisher.publish(fragment("k2", true));
    publisher.publish(fragment("d", false));
    assert_eq!(read(&mut slow), ["onRandomAccessPoint", "k2", "d"]);
    assert_eq!(slow.skips(), 1);
}

#[test]
fn a_stop_that_was_skipped_over_is_told() {
    let hub = Hub::new(small());
    let publisher = hub.publish(&source()).unwrap();
    publisher.publish(init("<init>", false));
    publisher.publish(fragment("k1", true));
    let mut slow = subscribe(&hub);
    read(&mut slow);
    for n in 0..10 {
        publisher.publish(fragment(&format!("d{n}"), false));
    }
    publisher.stop();
    assert_eq!(read(&mut slow), ["onStreamStatus"]);
    assert!(read(&mut slow).is_empty());
}

#[test]
fn a_gop_without_end_is_bounded() {
    let hub = Hub::new(small());
    let publisher = hub.publish(&source()).unwrap();
    publisher.publish(init("<init>", false));
    publisher.publish(fragment("k1", true));
    let mut playing = subscribe(&hub);
    for _ in 0..200 {
        publisher.publish(fragment("d", false));
        read(&mut playing);
    }
    assert_eq!(playing.skips(), 0, "whoever keeps up loses nothing");
    assert!(read(&mut subscribe(&hub)).is_empty(), "its head is gone");
    publisher.publish(fragment("k2", true));
    assert_eq!(read(&mut subscribe(&hub)).last().unwrap(), "k2");
}

#[test]
fn one_publisher_a_source_and_a_limit_of_streams() {
    let hub = Hub::new(small());
    let first = hub.publish(&source()).unwrap();
    assert!(matches!(
        hub.publish(&source()),
        Err(PublishError::Taken(_))
    ));
    drop(first);
    assert!(hub.publish(&source()).is_ok());

    let origin = OriginName::new("o");
    let held = [grant("A-1"), grant("A-2")].map(|grant| hub.subscribe(&grant, &origin).unwrap());
    let full = hub.subscribe(&grant("A-3"), &origin);
    assert!(matches!(full, Err(SubscribeError::Full(2))));
    drop(held);
    assert!(hub.subscribe(&grant("A-3"), &origin).is_ok());
}

#[derive(Default)]
struct Told(Mutex<Vec<bool>>);

impl Demand for Told {
    fn viewers_changed(&self, _: &Source, wanted: bool) {
        self.0.lock().unwrap().push(wanted);
    }
}

#[test]
fn demand_hears_of_the_first_and_the_last_viewer() {
    let hub = Hub::new(small());
    let told = Arc::<Told>::default();
    hub.set_demand(Arc::clone(&told) as Arc<dyn Demand>);
    let viewers = [subscribe(&hub), subscribe(&hub)];
    assert_eq!(hub.viewers(&source()), 2);
    drop(viewers);
    assert_eq!(hub.viewers(&source()), 0);
    assert_eq!(*told.0.lock().unwrap(), [true, false]);
}

#[derive(Default)]
struct Rung(AtomicUsize);

impl Wake for Rung {
    fn wake(&self, _: TopicId) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_bell_rings_for_those_who_listen() {
    let hub = Hub::new(small());
    let publisher = hub.publish(&source()).unwrap();
    let subscription = subscribe(&hub);
    let rung = Arc::<Rung>::default();
    let listener = Arc::clone(&rung) as Arc<dyn Wake>;
    subscription.topic().listen(Arc::clone(&listener));
    publisher.publish(init("<init>", false));
    publisher.publish(fragment("k", true));
    subscription.topic().leave(&listener);
    publisher.publish(fragment("d", false));
    assert_eq!(rung.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_survey_tells_of_streams_and_how_far_behind_one_is() {
    let hub = Hub::new(small());
    let mut subscription = subscribe(&hub);
    let publisher = hub.publish(&source()).unwrap();
    assert_eq!(hub.survey("", 9).1[0].info, None);
    publisher.publish(init("<init>", false));
    publisher.publish(fragment("k1", true));
    assert_eq!(subscription.behind(), 0);
    read(&mut subscription);
    publisher.publish(fragment("d1", false));
    let behind = subscription.behind();
    assert!((100..300).contains(&behind), "{behind}");
    let (matching, streams) = hub.survey("A-", 9);
    assert_eq!((matching, streams.len()), (1, 1));
    assert!(streams[0].published && streams[0].viewers == 1);
    assert!(streams[0].bytes > behind && streams[0].info.is_some());
    // Sound can be joined anywhere: that is no keyframe.
    assert_eq!(streams[0].keyframe_interval_ms, None);
    assert_eq!(hub.survey("", 0).0, 1);
    assert_eq!(hub.survey("B", 9).0, 0);
}

#[test]
fn who_stands_at_the_same_place_can_be_passed_on() {
    let hub = Hub::new(Limits::default());
    let publisher = hub.publish(&source()).unwrap();
    let (mut asked, mut passed) = (subscribe(&hub), subscribe(&hub));
    assert_eq!(asked.cursor(), None, "it waits for a keyframe");
    publisher.publish(init("i", false));
    publisher.publish(fragment("k", true));
    for each in [&mut asked, &mut passed] {
        each.next(usize::MAX, &mut Vec::new());
    }
    let before = asked.cursor().unwrap();
    assert_eq!(passed.cursor(), Some(before));

    publisher.publish(fragment("a", false));
    let mut out = Vec::new();
    asked.next(usize::MAX, &mut out);
    assert_eq!(out.len(), 1);
    passed.pass(asked.cursor().unwrap());
    publisher.publish(fragment("b", false));
    let mut rest = [Vec::new(), Vec::new()];
    asked.next(usize::MAX, &mut rest[0]);
    passed.next(usize::MAX, &mut rest[1]);
    assert_eq!(rest[0], rest[1]);
    assert_eq!(rest[0].len(), 1);

    // Another is given less, so what it is given is not for the others.
    let mut metadata = hub
        .subscribe_to_metadata(&grant("A-b"), &OriginName::new("o"))
        .unwrap();
    metadata.next(usize::MAX, &mut Vec::new());
    assert_eq!(metadata.cursor(), None);
}
