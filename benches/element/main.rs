//! How long the element keeps a buffer: from its pad until it is published in the hub; and how long it takes
//! to start and to stop.
//! `README.md` beside this directory says what is measured and how to read it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cycles;
#[path = "../support/figures.rs"]
#[allow(dead_code)]
mod figures;
#[path = "../support/machine.rs"]
#[allow(dead_code)]
mod machine;
mod source;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use figures::{percentile, print_table, write_json};
use gstreamer as gst;
use gstreamer::prelude::*;
use h5live::element::H5LiveAuthSink;
use h5live::hub::topic::{TopicId, Wake};
use h5live::hub::{Hub, Limits, OriginName, Source};
use h5live::token::{OpenStream, OpenStreams, StreamName};
use serde_json::{Value, json};
use source::{Branch, VIDEO};

/// When the hub last rang.
#[derive(Default)]
struct Published(Mutex<Vec<Instant>>);

impl Wake for Published {
    fn wake(&self, _: TopicId) {
        self.0.lock().unwrap().push(Instant::now());
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let seconds = if quick { 2 } else { 10 };
    gst::init().unwrap();
    let described = machine::describe();
    machine::print(&described);
    println!("{seconds} s each, in real time; milliseconds from the pad to the hub");

    let [h264, h265, av1] = VIDEO;
    let rows = [
        vec![h264],
        vec![h265],
        vec![av1],
        vec![source::AAC],
        vec![source::OPUS],
        vec![h264, source::AAC],
        vec![h264, source::OPUS],
        vec![h265, source::OPUS],
        vec![av1, source::OPUS],
    ];
    let mut table = vec![
        ["codecs", "of", "buffers", "median", "99th"]
            .map(String::from)
            .to_vec(),
    ];
    let mut figures = Vec::new();
    for branches in rows {
        let names: Vec<&str> = branches.iter().map(|branch| branch.name).collect();
        let names = names.join(" + ");
        for (branch, latencies) in branches.iter().zip(measure(&branches, seconds)) {
            let (median, late) = (percentile(&latencies, 50.0), percentile(&latencies, 99.0));
            table.push(vec![
                names.clone(),
                branch.name.to_owned(),
                latencies.len().to_string(),
                format!("{median:.3}"),
                format!("{late:.3}"),
            ]);
            figures.push(json!({
                "codecs": names, "of": branch.name, "buffers": latencies.len(),
                "median_ms": median, "p99_ms": late,
            }));
        }
    }
    print_table(&table);
    let told = |what: &str, times: &[f64]| {
        let (median, late) = (percentile(times, 50.0), percentile(times, 99.0));
        println!("{what}, with its own doors: {median:.3} ms, 99th {late:.3} ms");
        json!({"median_ms": median, "p99_ms": late, "cycles": times.len()})
    };
    let [start, stop] = cycles::measure();
    let (start, stop) = (told("start", &start), told("stop", &stop));
    let figures: Value = json!({
        "machine": described, "seconds": seconds, "latency": figures, "start": start, "stop": stop,
    });
    write_json("element", &figures);
}

/// Milliseconds in the element, of each branch's buffers, sorted.
fn measure(branches: &[Branch], seconds: u64) -> Vec<Vec<f64>> {
    let stream = StreamName::parse("ABCDE-bench").unwrap();
    let open: OpenStreams = [OpenStream::parse("ABCDE-bench").unwrap()]
        .into_iter()
        .collect();
    let origin = OriginName::new("bench");
    let hub = Hub::new(Limits::default());
    let source = Source {
        origin: origin.clone(),
        stream: stream.clone(),
    };
    let element = H5LiveAuthSink::new();
    element.set_publisher(hub.publish(&source).unwrap());
    let grant = open.grant(&stream).unwrap();
    let subscription = hub.subscribe(&grant, &origin).unwrap();
    let published = Arc::new(Published::default());
    subscription.topic().listen(published.clone());

    let pads: Vec<gst::Pad> = branches
        .iter()
        .map(|branch| element.request_pad_simple(branch.pad).unwrap())
        .collect();
    element.set_state(gst::State::Playing).unwrap();
    let mut buffers = Vec::new();
    for (index, (branch, pad)) in branches.iter().zip(&pads).enumerate() {
        let (caps, list) = branch.encode(seconds);
        pad.send_event(gst::event::StreamStart::new(branch.name));
        pad.send_event(gst::event::Caps::new(&caps));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        pad.send_event(gst::event::Segment::new(&segment));
        buffers.extend(list.into_iter().map(|buffer| (index, buffer)));
    }
    let due = |buffer: &gst::Buffer| buffer.dts_or_pts().unwrap_or_default();
    let first = buffers.iter().map(|(_, buffer)| due(buffer)).min();
    buffers.sort_by_key(|(_, buffer)| due(buffer));

    let begun = Instant::now();
    let mut inside: Vec<(usize, Instant)> = Vec::new();
    let mut latencies = vec![Vec::new(); branches.len()];
    for (index, buffer) in buffers {
        let at = due(&buffer).saturating_sub(first.unwrap_or_default());
        let early = Duration::from(at).saturating_sub(begun.elapsed());
        thread::sleep(early);
        inside.push((index, Instant::now()));
        pads[index].chain(buffer).unwrap();
        // What is published takes all that came before with it.
        let rung = std::mem::take(&mut *published.0.lock().unwrap());
        if let Some(last) = rung.last() {
            for (index, came) in inside.drain(..) {
                latencies[index].push(last.duration_since(came).as_secs_f64() * 1000.0);
            }
        }
    }
    element.set_state(gst::State::Null).unwrap();
    for list in &mut latencies {
        list.sort_by(f64::total_cmp);
    }
    latencies
}
