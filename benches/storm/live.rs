//! Those who play before the storm and during it: when their fragments arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::inspect::{Event, Inspector};
use super::ticket;
use super::wire::{Way, Wire};

/// What is looked at: before anybody plays, before the storm, during it, and the end.
pub const IDLE: usize = 0;
pub const BEFORE: usize = 1;
pub const DURING: usize = 2;
pub const OVER: usize = 3;

/// A pong without payload, masked with zeros (RFC 6455, 5.3).
const PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];

struct Reader {
    wire: Wire,
    request: Vec<u8>,
    sent: usize,
    inspector: Inspector,
    upgraded: bool,
    last: Option<(Instant, u32)>,
}

/// What they have seen, in milliseconds between two fragments, and how many fragments were missing.
#[derive(Default)]
pub struct Seen {
    pub gaps: [Vec<f64>; 4],
    pub missing: u64,
    pub closed: u64,
}

/// Plays with so many until the phase is over; tells when all do.
pub fn run(way: &Way, readers: u64, phase: &Arc<AtomicUsize>, ready: &Sender<()>) -> Seen {
    let mut poll = Poll::new().expect("an epoll");
    let mut playing: Vec<Reader> = (0..readers)
        .map(|number| {
            let token = Token(number as usize);
            let wire = way.connect(number, poll.registry(), token);
            Reader {
                wire: wire.expect("the server listens"),
                request: ticket::request(number, &ticket::stream(0)).into_bytes(),
                sent: 0,
                inspector: Inspector::default(),
                upgraded: false,
                last: None,
            }
        })
        .collect();
    let mut seen = Seen::default();
    let mut waited_for = readers;
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let now = phase.load(Ordering::Relaxed);
        if now == OVER {
            return seen;
        }
        let wait = Some(Duration::from_millis(50));
        if let Err(error) = poll.poll(&mut events, wait) {
            assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
            continue;
        }
        for event in &events {
            let reader = &mut playing[event.token().0];
            let waits = reader.last.is_none();
            reader.turn(&mut buffer, &mut seen, now);
            if waits && reader.last.is_some() {
                waited_for -= 1;
                if waited_for == 0 {
                    ready.send(()).expect("somebody waits");
                }
            }
        }
    }
}

impl Reader {
    fn turn(&mut self, buffer: &mut [u8], seen: &mut Seen, phase: usize) {
        let mut rest = &self.request[self.sent..];
        let sent = self.wire.send(&mut rest).expect("the server is there");
        self.sent = self.request.len() - rest.len();
        if !sent {
            return;
        }
        while let Some(length) = self.wire.read(buffer).expect("the server is there") {
            if length == 0 {
                seen.closed += 1;
                return;
            }
            let mut bytes = &buffer[..length];
            if !self.upgraded {
                let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
                assert!(bytes.starts_with(b"HTTP/1.1 101 "), "an upgrade");
                bytes = &bytes[end.expect("a short head comes whole") + 4..];
                self.upgraded = true;
            }
            let (last, mut pings) = (&mut self.last, 0);
            self.inspector.read(bytes, |event| match event {
                Event::Fragment(fragment) => {
                    let now = Instant::now();
                    if let Some((before, sequence)) = *last {
                        let gap = now.duration_since(before).as_secs_f64() * 1000.0;
                        seen.gaps[phase].push(gap);
                        seen.missing += u64::from(fragment.sequence - sequence - 1);
                    }
                    *last = Some((now, fragment.sequence));
                }
                Event::Ping => pings += 1,
                Event::Close => seen.closed += 1,
                Event::Other => {}
            });
            for _ in 0..pings {
                // Six bytes always fit into a socket that nothing else is written to.
                let _ = self.wire.send(&mut &PONG[..]);
            }
        }
    }
}
