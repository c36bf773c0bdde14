//! An `h5liveauthsink` without a pipeline: a test pushes into its pads, reads its bus, and listens at
//! its doors as a viewer.

#![allow(dead_code)] // each test uses a part of it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "patient.rs"]
#[allow(clippy::duplicate_mod)] // a test may have another part of the support that reads too
mod patient;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_check::Harness;
use h5live::token::{Claims, Scope, Secret, StreamName, mint};
use patient::Patient;
use serde_json::Value;
use tungstenite::{Message, WebSocket, client};

const SECRET: &str = "the secret of this bench";

/// How long anything may take to happen; only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A frame of 30 a second.
pub const FRAME: u64 = 33;

/// An element with a bus of its own. It goes to NULL when dropped.
pub struct Bench {
    pub element: gst::Element,
    pub bus: gst::Bus,
}

impl Bench {
    /// One that serves `ABCDE-demo` on a free port of 127.0.0.1.
    pub fn new() -> Self {
        Self::of("ABCDE-demo", 0)
    }

    /// One that serves a stream on a port.
    pub fn of(stream: &str, port: u16) -> Self {
        Self::with_secret(stream, port, SECRET)
    }

    /// One with another secret than that of [`Viewer`]'s tokens.
    pub fn with_secret(stream: &str, port: u16, secret: &str) -> Self {
        gst::init().unwrap();
        // As G_DEBUG=fatal-warnings does, which is read before a test can set it.
        gst::glib::log_set_always_fatal(
            gst::glib::LogLevels::LEVEL_CRITICAL | gst::glib::LogLevels::LEVEL_WARNING,
        );
        h5live::element::register(None).unwrap();
        let element = gst::ElementFactory::make("h5liveauthsink")
            .property("stream-name", stream)
            .property("secret", secret)
            .property("port", u32::from(port))
            .build()
            .unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        Self { element, bus }
    }

    /// Requests the video pad, plays, and leaves the caps to the test.
    pub fn bare_video(&self) -> Harness {
        Harness::with_element(&self.element, Some("video"), None)
    }

    /// Requests the audio pad, plays, and leaves the caps to the test.
    pub fn bare_audio(&self) -> Harness {
        Harness::with_element(&self.element, Some("audio"), None)
    }

    /// Requests the video pad and plays; ready for [`picture`].
    pub fn video(&self) -> Harness {
        let mut pad = self.bare_video();
        pad.set_src_caps(video_caps(320, 180));
        pad
    }

    /// Requests the audio pad and plays; ready for [`sound`].
    pub fn audio(&self) -> Harness {
        let mut pad = self.bare_audio();
        pad.set_src_caps(audio_caps());
        pad
    }

    pub fn port(&self) -> u16 {
        let port = self.element.property::<u32>("bound-port");
        port.try_into().unwrap()
    }

    /// A field of the property `stats`.
    pub fn stat(&self, field: &str) -> u64 {
        let stats = self.element.property::<gst::Structure>("stats");
        stats.get::<u64>(field).unwrap()
    }

    /// A viewer with a good token for the element's stream.
    pub fn viewer(&self) -> Viewer {
        let stream = self.element.property::<String>("stream-name");
        Viewer::connect(self.port(), &stream)
    }

    /// The next error on the bus, as its sentence.
    pub fn error(&self) -> String {
        self.told(gst::MessageType::Error)
    }

    /// The next message of a type; panics where none has come.
    pub fn told(&self, kind: gst::MessageType) -> String {
        match self.bus.pop_filtered(&[kind]) {
            Some(message) => match message.view() {
                gst::MessageView::Error(error) => error.error().to_string(),
                gst::MessageView::Warning(warning) => warning.error().to_string(),
                _ => format!("{kind:?}"),
            },
            None => panic!("no {kind:?} on the bus"),
        }
    }

    /// Whether no message of a type has come.
    pub fn silent(&self, kind: gst::MessageType) -> bool {
        self.bus.pop_filtered(&[kind]).is_none()
    }

    pub fn set_state(&self, state: gst::State) -> bool {
        self.element.set_state(state).is_ok()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.element.set_state(gst::State::Null);
        // Its messages hold the element, which holds the bus.
        self.bus.set_flushing(true);
    }
}

/// What h264parse says, with a decoder record that is as small as one can be.
pub fn video_caps(width: i32, height: i32) -> gst::Caps {
    // The picture's size stands in the SPS too, so that another size is another record.
    let sps = [
        0x67,
        0x42,
        0xc0,
        0x1e,
        (width / 16) as u8,
        (height / 4) as u8,
    ];
    let mut record = vec![1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, sps.len() as u8];
    record.extend_from_slice(&sps);
    record.extend_from_slice(&[1, 0, 4, 0x68, 0xce, 0x3c, 0x80]);
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "avc")
        .field("alignment", "au")
        .field("width", width)
        .field("height", height)
        .field("framerate", gst::Fraction::new(30, 1))
        .field("codec_data", gst::Buffer::from_slice(record))
        .build()
}

/// What aacparse says of AAC-LC, 48 kHz, stereo.
pub fn audio_caps() -> gst::Caps {
    gst::Caps::builder("audio/mpeg")
        .field("mpegversion", 4i32)
        .field("stream-format", "raw")
        .field("framed", true)
        .field("rate", 48_000i32)
        .field("channels", 2i32)
        .field("codec_data", gst::Buffer::from_slice([0x11, 0x90]))
        .build()
}

/// Caps without one of their fields.
pub fn without(mut caps: gst::Caps, field: &str) -> gst::Caps {
    caps.make_mut()
        .structure_mut(0)
        .unwrap()
        .remove_field(field);
    caps
}

/// Caps with another value in one of their fields.
pub fn with(mut caps: gst::Caps, field: &str, value: &str) -> gst::Caps {
    caps.make_mut().structure_mut(0).unwrap().set(field, value);
    caps
}

/// An access unit of one NAL unit. The first one of a stream has to be a keyframe.
pub fn picture(milliseconds: u64, keyframe: bool) -> gst::Buffer {
    picture_of(milliseconds, keyframe, 64)
}

/// One of so many bytes.
pub fn picture_of(milliseconds: u64, keyframe: bool, bytes: usize) -> gst::Buffer {
    let mut data = u32::try_from(bytes - 4).unwrap().to_be_bytes().to_vec();
    data.push(if keyframe { 0x65 } else { 0x41 });
    data.resize(bytes, 0x80);
    let mut buffer = timed(data, Some(milliseconds * 1_000_000));
    if !keyframe {
        buffer
            .get_mut()
            .unwrap()
            .set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    buffer
}

/// A frame of AAC.
pub fn sound(milliseconds: u64) -> gst::Buffer {
    timed(vec![0x21; 32], Some(milliseconds * 1_000_000))
}

/// Bytes at a time in nanoseconds.
pub fn timed(data: Vec<u8>, nanoseconds: Option<u64>) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(data);
    let time = nanoseconds.map(gst::ClockTime::from_nseconds);
    let inner = buffer.get_mut().unwrap();
    inner.set_pts(time);
    inner.set_dts(time);
    buffer
}

/// A WebSocket client of the H5Live interface.
pub struct Viewer(WebSocket<Patient>);

impl Viewer {
    /// Asks for a stream with a good token for it.
    pub fn connect(port: u16, stream: &str) -> Self {
        let name = StreamName::parse(stream).unwrap();
        let key = Secret::new(SECRET.as_bytes()).unwrap().key();
        let token = mint(&key, &Claims::of(Scope::Stream(name))).token;
        let query = format!("stream={stream}&token={token}&options=0");
        let url = format!("ws://127.0.0.1:{port}/h5live/authstream?{query}");
        let tcp = Patient::connect(("127.0.0.1", port), PATIENCE).unwrap();
        Self(client(url, tcp).unwrap().0)
    }

    /// The next thing: an event's name, `init`, `moof`, or a close code.
    pub fn next(&mut self) -> String {
        match self.0.read().unwrap() {
            Message::Text(text) => event(&text)["eventType"].as_str().unwrap().to_owned(),
            Message::Binary(bytes) => match &bytes[4..8] {
                b"ftyp" => "init".to_owned(),
                kind => String::from_utf8_lossy(kind).into_owned(),
            },
            Message::Close(frame) => u16::from(frame.unwrap().code).to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Reads on until that comes; says what came before it.
    pub fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let next = self.next();
            if next == wanted {
                return before;
            }
            assert!(
                next.parse::<u16>().is_err(),
                "closed with {next} before {wanted}, after {before:?}"
            );
            before.push(next);
        }
    }

    /// Reads on until an event comes, and gives its payload.
    pub fn payload(&mut self, wanted: &str) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                let event = event(&text);
                if event["eventType"] == wanted {
                    return event
                        .as_object()
                        .and_then(|event| event.iter().find(|(key, _)| *key != "eventType"))
                        .map(|(_, payload)| payload.clone())
                        .unwrap();
                }
            }
        }
    }

    /// Answers a close and reads to the connection's end.
    pub fn leave(mut self) {
        let _ = self.0.close(None);
        while self.0.read().is_ok() {}
    }

    /// Its socket.
    pub fn socket(&self) -> &TcpStream {
        &self.0.get_ref().0
    }
}

fn event(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Whether the kernel refuses a connection to that loopback port at once.
pub fn refuses(port: u16) -> bool {
    let connected = TcpStream::connect(("127.0.0.1", port));
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// A free loopback port that stays free while nobody uses it: it lies below those that the kernel
/// gives out by itself (ip(7), ip_local_port_range), and no other call here gives it again.
pub fn quiet_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_768, "no free port from {first} on");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
