//! How a reader gets in: through the WebSocket door, or straight onto the floor's socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde_json::Value;

use super::inspect::{Event, Inspector};
use super::line::{self, Line};
use super::setup::Setup;
use super::ticket;

/// Where readers go.
#[derive(Clone)]
pub struct Entrance {
    address: SocketAddr,
    /// Whether there is a door, and not the floor.
    door: bool,
    streams: u64,
    tls: Option<Arc<ClientConfig>>,
}

/// A reader that is in.
pub struct Entered {
    /// Its number; those of one stream are as many apart as there are streams.
    pub number: u64,
    pub line: Line,
    /// What it was sent already.
    pub bytes: Vec<u8>,
}

/// When what had happened of a coming-in.
#[derive(Clone, Copy)]
pub struct Arrival {
    /// connect() was called.
    pub called: Instant,
    /// The answer to the upgrade was there, and with it the verdict.
    pub answered: Instant,
    /// The first keyframe had begun to arrive.
    pub begun: Instant,
    /// It had arrived.
    pub whole: Option<Instant>,
}

impl Entrance {
    /// `ready`: what the child that is under the load said of itself.
    pub fn read(setup: &Setup, door: bool, ready: &Value) -> Self {
        let address = ready["address"].as_str().unwrap_or_default();
        let certificate: Option<Vec<u8>> =
            serde_json::from_value(ready["certificate"].clone()).expect("bytes or nothing");
        Self {
            address: address.parse().expect("an address"),
            door,
            streams: setup.streams as u64,
            tls: certificate.map(line::client),
        }
    }

    /// Whether readers begin at a keyframe.
    pub fn is_door(&self) -> bool {
        self.door
    }

    /// Lets reader number `number` in.
    pub fn enter(&self, number: u64) -> io::Result<Entered> {
        let mut line = Line::open(number, self.address, self.tls.as_ref())?;
        let mut bytes = Vec::new();
        if self.door {
            bytes = upgrade(&mut line, &self.request(number))?;
        }
        let entered = Entered {
            number,
            line,
            bytes,
        };
        Ok(entered)
    }

    /// The same, and waits for its first keyframe: until that begins, or until it is whole.
    pub fn arrive(&self, number: u64, whole: bool) -> io::Result<(Entered, Arrival)> {
        // Its token is minted by somebody else and beforehand.
        let request = self.request(number);
        let called = Instant::now();
        let mut line = Line::open(number, self.address, self.tls.as_ref())?;
        let mut bytes = upgrade(&mut line, &request)?;
        let answered = Instant::now();
        let mut arrival = Arrival {
            called,
            answered,
            begun: answered,
            whole: None,
        };
        let mut inspector = Inspector::default();
        let mut buffer = [0; 16 * 1024];
        let (mut seen, mut begun) = (0, false);
        loop {
            let now = Instant::now();
            inspector.read(&bytes[seen..], |event| {
                if let Event::Fragment(fragment) = event
                    && arrival.whole.is_none()
                {
                    assert!(fragment.keyframe, "a reader starts at a keyframe");
                    arrival.whole = Some(now);
                }
            });
            seen = bytes.len();
            if !begun && (arrival.whole.is_some() || inspector.fragment_begun()) {
                begun = true;
                arrival.begun = now;
            }
            if begun && (arrival.whole.is_some() || !whole) {
                let entered = Entered {
                    number,
                    line,
                    bytes,
                };
                return Ok((entered, arrival));
            }
            let length = some(line.read(&mut buffer)?)?;
            bytes.extend_from_slice(&buffer[..length]);
        }
    }

    fn request(&self, number: u64) -> String {
        let stream = ticket::stream((number % self.streams) as usize);
        ticket::request(number, &stream)
    }
}

impl Arrival {
    /// From one moment to another, in milliseconds.
    pub fn millis(from: Instant, to: Instant) -> f64 {
        let time: Duration = to.saturating_duration_since(from);
        time.as_secs_f64() * 1000.0
    }
}

/// An end is an error: the server closes nobody.
fn some(length: usize) -> io::Result<usize> {
    match length {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        length => Ok(length),
    }
}

fn upgrade(line: &mut Line, request: &str) -> io::Result<Vec<u8>> {
    line.write_all(request.as_bytes())?;
    line.flush()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = some(line.read(&mut buffer)?)?;
        answer.extend_from_slice(&buffer[..length]);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            assert!(answer.starts_with(b"HTTP/1.1 101 "), "an upgrade");
            answer.drain(..end + 4);
            return Ok(answer);
        }
    }
}
