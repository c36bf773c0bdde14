//! RTMP by the message: a short clip with script data of every kind in it, sent as a publisher sends it to
//! a server, or as a server sends it to a player. No program at hand sends such data.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
    PublishRequestType, ServerSession, ServerSessionConfig, ServerSessionEvent,
    ServerSessionResult,
};
use serde_json::{Value, json};

const SCRIPT: u8 = 18;
const CHUNK: usize = 4096;

/// What is sent: time in milliseconds, message type and data, in order.
pub struct Tape(Vec<(u32, u8, Vec<u8>)>);

impl Tape {
    /// Twelve seconds of 320x180 at 30 frames a second, a keyframe each second, with sound.
    pub fn record() -> Tape {
        Tape::of((320, 180), (48_000, 1), 12)
    }

    /// So many seconds with a picture of that width and height, and sound of that rate and channels.
    pub fn of((width, height): (u32, u32), (rate, channels): (u32, u32), seconds: u32) -> Tape {
        let clip = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
            .arg(format!("testsrc2=size={width}x{height}:rate=30"))
            .args(["-f", "lavfi", "-i"])
            .arg(format!("sine=frequency=440:sample_rate={rate}"))
            .args(["-t", &seconds.to_string()])
            .args(["-c:v", "libx264", "-preset", "ultrafast"])
            .args(["-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "30"])
            .args(["-c:a", "aac", "-ac", &channels.to_string()])
            .args(["-f", "flv", "-"])
            .output()
            .expect("ffmpeg runs");
        assert!(clip.status.success(), "{clip:?}");
        // Behind the header and the size of no tag, a tag is 11 bytes, its data, and its size.
        let mut rest = &clip.stdout[13..];
        let mut tags = Vec::new();
        while let [kind, a, b, c, d, e, f, high, _, _, _, data @ ..] = rest {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let time = u32::from_be_bytes([*high, *d, *e, *f]);
            tags.push((time, *kind, data[..length].to_vec()));
            rest = &data[length + 4..];
        }
        Tape(tags)
    }

    /// Goes on with another tape, as an encoder does whose settings are changed while it runs.
    pub fn then(mut self, other: Tape) -> Tape {
        // A frame later than the last.
        let from = self.0.last().map_or(0, |(time, ..)| time + 33);
        let shifted = other.0.into_iter();
        self.0
            .extend(shifted.map(|(time, kind, data)| (from + time, kind, data)));
        self
    }

    /// Adds script data at a time: the values, as AMF0.
    pub fn say(&mut self, time: u32, values: &[&[u8]]) {
        let at = self.0.partition_point(|(other, ..)| *other < time);
        self.0.insert(at, (time, SCRIPT, values.concat()));
    }

    /// Sends all of it at its own pace, by `send`, until that fails.
    fn play(&self, stream: u32, mut send: impl FnMut(&[u8]) -> std::io::Result<()>) {
        let begun = Instant::now();
        if send(&chunk(2, 1, 0, 0, &(CHUNK as u32).to_be_bytes())).is_err() {
            return;
        }
        for (time, kind, data) in &self.0 {
            let due = Duration::from_millis((*time).into());
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            if send(&chunk(20 + kind % 8, *kind, stream, *time, data)).is_err() {
                return;
            }
        }
    }
}

/// One message with a whole header, which needs nothing of what was sent before.
pub fn chunk(id: u8, kind: u8, stream: u32, time: u32, data: &[u8]) -> Vec<u8> {
    let mut out = vec![id];
    out.extend(&time.to_be_bytes()[1..]);
    out.extend(&(data.len() as u32).to_be_bytes()[1..]);
    out.push(kind);
    out.extend(stream.to_le_bytes());
    for (at, part) in data.chunks(CHUNK).enumerate() {
        if at > 0 {
            out.push(0xc0 | id);
        }
        out.extend(part);
    }
    out
}

/// A string of AMF0.
pub fn text(text: &str) -> Vec<u8> {
    let mut out = vec![2];
    out.extend(key(text));
    out
}

/// An object of AMF0 with strings.
pub fn object(members: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![3];
    for (name, value) in members {
        out.extend(key(name));
        out.extend(text(value));
    }
    out.extend([0, 0, 9]);
    out
}

fn key(name: &str) -> Vec<u8> {
    let mut out = (name.len() as u16).to_be_bytes().to_vec();
    out.extend(name.bytes());
    out
}

/// Adds every kind of script data, at once and each second, and says what a viewer hears of it.
pub fn talk(tape: &mut Tape) -> Vec<(&'static str, Value)> {
    let mut expected = Vec::new();
    for second in 2..10 {
        let (time, word) = (second * 1000 + 7, second.to_string());
        tape.say(time, &[&text("onTextData"), &object(&[("text", &word)])]);
        expected.push(("onTextData", json!({"text": word})));
        // A date, which encoders write and some readers stumble over.
        let date = [&[11][..], &1.5e12f64.to_be_bytes(), &[0, 0]].concat();
        tape.say(time + 10, &[&text("onCuePoint"), &text(&word), &date]);
        expected.push(("onCuePoint", json!([word, 1_500_000_000_000_i64])));
        let frame = [text("@setDataFrame"), text("onFI")];
        tape.say(
            time + 20,
            &[&frame.concat(), &object(&[("st", "12:00:00")])],
        );
        expected.push(("onFI", json!({"st": "12:00:00"})));
        let described = object(&[("title", &word)]);
        tape.say(time + 25, &[&text("onMetaData"), &described]);
        expected.push(("onMetaData", json!({"title": word})));
        // What can't be read, and what is too long, is left out and harms nothing.
        tape.say(time + 30, &[&text("onBroken"), &[3, 0, 9, b'x']]);
        let levels = [10, 0, 0, 0, 1].repeat(10_000);
        tape.say(time + 40, &[&text("onDeep"), &levels, &[5]]);
        tape.say(
            time + 50,
            &[&text("onLong"), &text(&"x".repeat(65_500)).repeat(2)],
        );
        tape.say(time + 60, &[]);
        tape.say(time + 70, &[&text("@setDataFrame")]);
    }
    expected
}

/// A connection after the handshake, and what has come behind it.
fn shake(tcp: &mut TcpStream, side: PeerType) -> Option<Vec<u8>> {
    let client = matches!(side, PeerType::Client);
    let mut handshake = Handshake::new(side);
    if client {
        let first = handshake.generate_outbound_p0_and_p1().ok()?;
        tcp.write_all(&first).ok()?;
    }
    loop {
        match handshake.process_bytes(&read(tcp)?).ok()? {
            HandshakeProcessResult::InProgress { response_bytes } => {
                tcp.write_all(&response_bytes).ok()?;
            }
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                tcp.write_all(&response_bytes).ok()?;
                return Some(remaining_bytes);
            }
        }
    }
}

fn read(tcp: &mut TcpStream) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 4096];
    let length = loop {
        match tcp.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => break read.ok().filter(|length| *length > 0)?,
        }
    };
    buffer.truncate(length);
    Some(buffer)
}

/// Connects to `127.0.0.1:port` and shakes hands.
pub fn connect(port: u16) -> TcpStream {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).expect("the origin accepts");
    tcp.set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout can be set");
    let rest = shake(&mut tcp, PeerType::Client).expect("a handshake");
    assert!(rest.is_empty(), "the server waits for a client's commands");
    tcp
}

/// Publishes a tape once, on a thread that ends with it.
pub fn publish(port: u16, key: &str, tape: Tape) -> JoinHandle<()> {
    let mut tcp = connect(port);
    let key = key.to_owned();
    std::thread::spawn(move || {
        let (mut session, first) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut results = first;
        results.push(session.request_connection("live".to_owned()).unwrap());
        loop {
            let mut more = Vec::new();
            for result in results {
                match result {
                    ClientSessionResult::OutboundResponse(packet) => {
                        tcp.write_all(&packet.bytes).unwrap();
                    }
                    ClientSessionResult::RaisedEvent(
                        ClientSessionEvent::ConnectionRequestAccepted,
                    ) => {
                        let publish =
                            session.request_publishing(key.clone(), PublishRequestType::Live);
                        more.push(publish.unwrap());
                    }
                    ClientSessionResult::RaisedEvent(
                        ClientSessionEvent::PublishRequestAccepted,
                    ) => {
                        return tape.play(1, |bytes| tcp.write_all(bytes));
                    }
                    _ => {}
                }
            }
            if more.is_empty() {
                let bytes = read(&mut tcp).expect("the publisher is accepted");
                more = session.handle_input(&bytes).unwrap();
            }
            results = more;
        }
    })
}

/// A server that gives a tape to whoever plays, and says nothing more when it is over.
pub struct Relay {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Relay {
    /// Starts it on a free port.
    pub fn start(tape: Tape) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let tape = Arc::new(tape);
        let over = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&over);
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let tape = Arc::clone(&tape);
                std::thread::spawn(move || serve(tcp, &tape));
            }
        });
        Relay { port, over }
    }

    /// The address of its application.
    pub fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut tcp: TcpStream, tape: &Tape) -> Option<()> {
    let mut bytes = shake(&mut tcp, PeerType::Server)?;
    let (mut session, first) = ServerSession::new(ServerSessionConfig::new()).ok()?;
    let mut results = first;
    loop {
        results.extend(session.handle_input(&bytes).ok()?);
        let mut playing = None;
        while !results.is_empty() {
            for result in std::mem::take(&mut results) {
                match result {
                    ServerSessionResult::OutboundResponse(packet) => {
                        tcp.write_all(&packet.bytes).ok()?;
                    }
                    ServerSessionResult::RaisedEvent(ServerSessionEvent::ConnectionRequested {
                        request_id,
                        ..
                    }) => results.extend(session.accept_request(request_id).ok()?),
                    ServerSessionResult::RaisedEvent(ServerSessionEvent::PlayStreamRequested {
                        request_id,
                        stream_id,
                        ..
                    }) => {
                        results.extend(session.accept_request(request_id).ok()?);
                        playing = Some(stream_id);
                    }
                    _ => {}
                }
            }
        }
        if let Some(stream) = playing {
            tape.play(stream, |bytes| tcp.write_all(bytes));
            return None;
        }
        bytes = read(&mut tcp)?;
    }
}
