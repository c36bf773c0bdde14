//! A finite stream pulled from a real RTMP origin: every packet that was published arrives once, as
//! it was, at its time, and what the publisher says of it arrives too.
//! What is published is a file, so each of its packets is known: x264 gives other bytes each time.
//! Not covered: joining late (`origin_pull`), browsers, publishers other than ffmpeg.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/pulling.rs"]
mod pulling;
mod support;
#[path = "support/hub_viewer.rs"]
mod viewer;

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use h5live::origin::SourceElement::{self, Rtmp2Src, RtmpSrc};
use pulling::{Pulling, small};
use serde_json::Value;
use support::origin::Origin;
use support::process::{Process, wait_until};
use support::publisher::{Options, Publisher};
use viewer::Viewer;

const STREAM: &str = "ABCDE-finite";
const SECONDS: u32 = 3;
const FPS: u32 = 30;

/// Longer than a publisher takes to start: the first dial waits for it and sees its first frame.
const TIMEOUT: Duration = Duration::from_secs(8);

/// RTMP's times are in milliseconds.
const ROUNDING: f64 = 0.001_01;

struct Packet {
    video: bool,
    key: bool,
    /// Seconds.
    pts: f64,
    hash: String,
}

/// The packets of a file in decode order; fails on any warning, also of the decoders.
fn packets(file: &Path) -> Vec<Packet> {
    let probe = Command::new("ffprobe")
        .args(["-v", "warning", "-show_packets", "-show_data_hash", "MD5"])
        .args(["-of", "json"])
        .arg(file)
        .output()
        .expect("ffprobe runs");
    assert_eq!(String::from_utf8_lossy(&probe.stderr), "", "ffprobe");
    let decode = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-i"])
        .arg(file)
        .args(["-fps_mode", "passthrough", "-enc_time_base", "-1"])
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    assert_eq!(String::from_utf8_lossy(&decode.stderr), "", "ffmpeg");
    let found: Value = serde_json::from_slice(&probe.stdout).unwrap();
    let packet = |packet: &Value| Packet {
        video: packet["codec_type"] == "video",
        key: packet["flags"].as_str().unwrap().starts_with('K'),
        pts: packet["pts_time"].as_str().unwrap().parse().unwrap(),
        hash: packet["data_hash"].as_str().unwrap().to_owned(),
    };
    let all = found["packets"].as_array().unwrap();
    all.iter().map(packet).collect()
}

/// Publishes a file as it is, in real time.
fn publish(origin: &Origin, file: &Path) {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "warning", "-nostdin", "-re", "-i"])
        .arg(file)
        .args(["-c", "copy", "-f", "flv"])
        .arg(format!("{}/{STREAM}", origin.url("live")));
    let log = file.with_extension("log");
    let mut publisher = Process::start("ffmpeg", &mut command, &log);
    assert!(publisher.wait_for_exit().success(), "{}", publisher.log());
}

/// Publishes a finite stream that a viewer has waited for; gives what the viewer got until its end,
/// and what was published.
fn watch(element: SourceElement, options: Options) -> (Viewer, Vec<Packet>) {
    let options = Options {
        fps: FPS,
        seconds: Some(SECONDS),
        ..options
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("published.flv");
    Publisher::start_at(file.to_str().unwrap(), &options).finish();

    let origin = Origin::start();
    let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
    let mut viewer = pulling.join(STREAM);
    wait_until("the pull to wait for the stream", || {
        (origin.players(STREAM) == 1).then_some(())
    });
    // Whoever does not read while it comes would join at a later keyframe.
    thread::scope(|scope| {
        scope.spawn(|| viewer.wait_for_stop());
        publish(&origin, &file);
    });
    assert_eq!(origin.plays(STREAM), 1, "one pull has seen it all");
    assert_eq!(viewer.text("onStreamInfo").len(), 1);
    (viewer, packets(&file))
}

fn received(viewer: &Viewer) -> Vec<Packet> {
    let file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    std::fs::write(file.path(), viewer.media()).unwrap();
    packets(file.path())
}

fn tracks(packets: &[Packet], video: bool) -> Vec<&Packet> {
    let track = packets.iter().filter(|packet| packet.video == video);
    track.collect()
}

/// Pairs what came with what was published: all of it, in order, but for `before` packets at the
/// beginning that need not come.
fn pair<'a>(
    element: SourceElement,
    got: Vec<&'a Packet>,
    sent: &[&'a Packet],
    before: usize,
) -> Vec<(&'a Packet, &'a Packet)> {
    let first = sent.iter().position(|packet| packet.hash == got[0].hash);
    let first = first.expect("what comes first was published");
    assert!(first <= before, "{first} are missing");
    let pairs: Vec<_> = got.into_iter().zip(sent[first..].iter().copied()).collect();
    for (at, (got, sent)) in pairs.iter().enumerate() {
        assert!(
            got.hash == sent.hash,
            "packet {at} at {} is another",
            sent.pts
        );
    }
    // GStreamer's rtmp2src forgets a packet that it has not yet handed on when the end comes.
    let forgotten = usize::from(element == Rtmp2Src);
    let lost = sent.len() - first - pairs.len();
    assert!(lost <= forgotten, "{lost} at the end");
    pairs
}

fn all_frames_arrive(element: SourceElement, options: Options) {
    let (viewer, published) = watch(element, options);
    let received = received(&viewer);
    let sent = tracks(&published, true);
    assert_eq!(sent.len(), (SECONDS * FPS) as usize);
    let pictures = pair(element, tracks(&received, true), &sent, 0);
    let mut times: Vec<f64> = pictures.iter().map(|(got, _)| got.pts).collect();
    times.sort_by(f64::total_cmp);
    for pair in times.windows(2) {
        let error = pair[1] - pair[0] - 1.0 / f64::from(FPS);
        assert!(error.abs() < 2e-5, "{error} {times:?}");
    }

    // Sound before the first picture has nothing to be played with.
    let before = |packet: &&&Packet| packet.pts < sent[0].pts;
    let sound = tracks(&published, false);
    let before = sound.iter().filter(before).count();
    let sound = pair(element, tracks(&received, false), &sound, before);

    // One shift for both tracks: they are as much in step as they were.
    let shift = pictures[0].0.pts - pictures[0].1.pts;
    for (got, sent) in pictures.iter().chain(&sound) {
        let error = got.pts - sent.pts - shift;
        assert!(error.abs() <= 2.0 * ROUNDING, "{error} at {}", sent.pts);
    }

    let announced: Vec<f64> = (viewer.text("onRandomAccessPoint").iter())
        .map(|point| point["streamTime"].as_f64().unwrap() / 1000.0)
        .collect();
    let keys = pictures.iter().filter(|(got, _)| got.key);
    let keys: Vec<f64> = keys.map(|(got, _)| got.pts).collect();
    assert_eq!(keys.len(), SECONDS as usize, "a keyframe a second");
    assert_eq!(announced.len(), keys.len());
    for (announced, key) in announced.iter().zip(&keys) {
        assert!((announced - key).abs() <= ROUNDING, "{announced} {key}");
    }
}

#[test]
fn every_frame_arrives_through_rtmpsrc() {
    all_frames_arrive(RtmpSrc, small());
}

#[test]
fn every_frame_arrives_through_rtmp2src() {
    all_frames_arrive(Rtmp2Src, small());
}

#[test]
fn every_frame_arrives_with_b_frames() {
    all_frames_arrive(
        RtmpSrc,
        Options {
            bframes: 2,
            ..small()
        },
    );
}

#[test]
fn sound_alone_is_sound_alone_from_start_to_end() {
    let options = Options {
        video: false,
        ..small()
    };
    let (viewer, published) = watch(Rtmp2Src, options);
    let info = viewer.text("onStreamInfo")[0];
    assert_eq!(info["videoInfo"], Value::Null);
    assert_eq!(info["mimeType"], "audio/mp4; codecs=\"mp4a.40.2\"");
    let (got, sent) = (received(&viewer), tracks(&published, false));
    assert_eq!(got.len(), tracks(&got, false).len());
    pair(Rtmp2Src, tracks(&got, false), &sent, 0);
}

#[test]
fn a_picture_alone_is_a_picture_alone_from_start_to_end() {
    let options = Options {
        audio: false,
        ..small()
    };
    let (viewer, published) = watch(Rtmp2Src, options);
    let info = viewer.text("onStreamInfo")[0];
    assert_eq!(info["audioInfo"], Value::Null);
    let (got, sent) = (received(&viewer), tracks(&published, true));
    assert_eq!(got.len(), tracks(&got, true).len());
    pair(Rtmp2Src, tracks(&got, true), &sent, 0);
}

#[test]
fn what_the_publisher_says_arrives_with_the_stream() {
    for element in [RtmpSrc, Rtmp2Src] {
        let origin = Origin::start();
        let _publisher = Publisher::start(&origin, STREAM, &small());
        let pulling = Pulling::start(&origin.url("live"), element, TIMEOUT);
        let mut first = pulling.join(STREAM);
        first.wait_for_fragments(2);
        for mut viewer in [first, pulling.join(STREAM)] {
            viewer.wait_for_fragments(2);
            let names: Vec<&str> = viewer.events.iter().map(|event| event.name()).collect();
            assert_eq!(names[..3], ["onStreamInfo", "init", "onMetaData"]);
            let said = viewer.text("onMetaData")[0];
            assert_eq!(said["handlerName"], "onMetaData");
            assert_eq!(
                (&said["chunkIndex"], &said["chunkCount"]),
                (&1.into(), &1.into())
            );
            assert!(said["streamTime"].is_f64());
            let message: Value = serde_json::from_str(said["message"].as_str().unwrap()).unwrap();
            assert_eq!(
                (&message["width"], &message["height"]),
                (&320.into(), &180.into())
            );
        }
    }
}
