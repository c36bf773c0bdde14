//! A clip, published by RTMP in real time for as long as it is wanted, with the time in every frame.

use std::num::NonZeroU64;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType,
};
use rustix::net::{RecvFlags, recv};
use rustix::thread::set_current_timer_slack;

use super::machine::processes::now_nanos;
use super::stamp::Stamp;
use super::support::tape;

const VIDEO: u8 = 9;
const CHUNK: u32 = 4096;

/// A whole number of frames of picture and of sound (48,000 / 1024), so that it can be repeated.
const CLIP: u32 = 16;

struct Tag {
    time: u32,
    kind: u8,
    data: Vec<u8>,
}

impl Tag {
    /// What decoders are set up with, and metadata: said once.
    fn is_head(&self) -> bool {
        !matches!(self.kind, 8 | VIDEO) || self.data.get(1) == Some(&0)
    }
}

/// 720p30 at 2.5 Mbit/s with a keyframe each second, and AAC at 128 kbit/s.
pub struct Clip(Vec<Tag>);

impl Clip {
    pub fn make() -> Self {
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
            .arg("testsrc2=size=1280x720:rate=30,noise=alls=24:allf=t")
            .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"])
            .args([
                "-t",
                &CLIP.to_string(),
                "-c:v",
                "libx264",
                "-preset",
                "superfast",
            ])
            .args(["-tune", "zerolatency", "-pix_fmt", "yuv420p", "-bf", "0"])
            .args(["-g", "30", "-keyint_min", "30", "-sc_threshold", "0"])
            .args(["-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "1250k"])
            .args([
                "-x264-params",
                "nal-hrd=cbr",
                "-c:a",
                "aac",
                "-ac",
                "2",
                "-b:a",
                "128k",
            ])
            .args(["-f", "flv", "-"])
            .output()
            .expect("ffmpeg runs; `.ci/setup` installs it");
        assert!(made.status.success(), "{made:?}");
        // Behind the header and the size of no tag, a tag is 11 bytes, its data, and its size.
        let mut rest = &made.stdout[13..];
        let mut tags = Vec::new();
        while let [kind, a, b, c, d, e, f, high, _, _, _, data @ ..] = rest {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let tag = Tag {
                time: u32::from_be_bytes([*high, *d, *e, *f]),
                kind: *kind,
                data: data[..length].to_vec(),
            };
            // The end of the sequence says nothing to anybody.
            if !(tag.kind == VIDEO && tag.data.get(1) == Some(&2)) {
                tags.push(tag);
            }
            rest = &data[length + 4..];
        }
        Self(tags)
    }
}

/// Publishes until it is dropped.
pub struct Publisher {
    /// Of pictures and sound, so far.
    bytes: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// To `rtmp://127.0.0.1:PORT/live/KEY`; returns once the server has agreed.
    pub fn start(port: u16, key: &str, clip: Arc<Clip>) -> Self {
        let mut publication = Publication::begin(port, key);
        let over = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&over);
        let bytes = Arc::clone(&publication.bytes);
        let thread = std::thread::spawn(move || publication.run(&clip, &ended));
        Self {
            bytes,
            over,
            thread: Some(thread),
        }
    }

    /// How many bytes of pictures and sound there were so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            std::thread::panicking() || matches!(ended, Some(Ok(()))),
            "the publisher was cut off"
        );
    }
}

struct Publication {
    tcp: std::net::TcpStream,
    session: ClientSession,
    frame: u32,
    bytes: Arc<AtomicU64>,
}

impl Publication {
    fn begin(port: u16, key: &str) -> Self {
        let tcp = tape::connect(port);
        tcp.set_nodelay(true).expect("a TCP socket");
        let mut config = ClientSessionConfig::new();
        config.tc_url = Some(format!("rtmp://127.0.0.1:{port}/live"));
        let (mut session, mut results) = ClientSession::new(config).expect("a session");
        results.push(
            session
                .request_connection("live".into())
                .expect("a request"),
        );
        let mut publication = Self {
            tcp,
            session,
            frame: 0,
            bytes: Arc::default(),
        };
        let mut buffer = [0; 4096];
        loop {
            for event in publication.send(results) {
                match event {
                    ClientSessionEvent::ConnectionRequestAccepted => {
                        let kind = PublishRequestType::Live;
                        let wish = publication.session.request_publishing(key.into(), kind);
                        publication.send(vec![wish.expect("a request")]);
                    }
                    ClientSessionEvent::PublishRequestAccepted => {
                        let size = CHUNK.to_be_bytes();
                        publication.write(&tape::chunk(2, 1, 0, 0, &size));
                        return publication;
                    }
                    _ => {}
                }
            }
            let length = std::io::Read::read(&mut publication.tcp, &mut buffer);
            let length = length.expect("an answer in time");
            assert!(length > 0, "the publisher is accepted");
            let input = publication.session.handle_input(&buffer[..length]);
            results = input.expect("RTMP");
        }
    }

    fn run(&mut self, clip: &Clip, over: &AtomicBool) {
        set_current_timer_slack(NonZeroU64::new(1)).expect("a thread may set its own slack");
        let start = Instant::now();
        for round in 0.. {
            for tag in &clip.0 {
                if tag.time >= CLIP * 1000 || (round > 0 && tag.is_head()) {
                    continue;
                }
                let time = round * CLIP * 1000 + tag.time;
                let due = start + Duration::from_millis(time.into());
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if over.load(Ordering::Relaxed) {
                    return;
                }
                self.listen();
                self.tag(tag, time);
                self.bytes
                    .fetch_add(tag.data.len() as u64, Ordering::Relaxed);
            }
        }
    }

    fn tag(&mut self, tag: &Tag, time: u32) {
        if tag.kind != VIDEO || tag.is_head() {
            let chunk = tape::chunk(20 + tag.kind % 8, tag.kind, 1, time, &tag.data);
            return self.write(&chunk);
        }
        let stamp = Stamp {
            nanos: now_nanos(),
            frame: self.frame,
        };
        self.frame += 1;
        let data = stamp.put(&tag.data);
        self.write(&tape::chunk(20 + VIDEO % 8, VIDEO, 1, time, &data));
    }

    /// What the server has said meanwhile, pings among it, is answered.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        let Ok((_, length)) = recv(&self.tcp, &mut buffer[..], RecvFlags::DONTWAIT) else {
            return;
        };
        let results = self.session.handle_input(&buffer[..length]);
        self.send(results.expect("RTMP"));
    }

    fn send(&mut self, results: Vec<ClientSessionResult>) -> Vec<ClientSessionEvent> {
        let mut events = Vec::new();
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => self.write(&packet.bytes),
                ClientSessionResult::RaisedEvent(event) => events.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        events
    }

    fn write(&mut self, bytes: &[u8]) {
        std::io::Write::write_all(&mut self.tcp, bytes).expect("the origin is there");
    }
}
