//! How a reader gets in: through the WebSocket door, or straight onto the floor's socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::inspect::{Event, Inspector};
use super::ticket;

/// A start that takes longer is a defect and no figure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where readers go.
#[derive(Clone, Copy)]
pub enum Entrance {
    Door(SocketAddr),
    Floor(SocketAddr),
}

/// From connect() until the first keyframe had begun to arrive, and had arrived.
pub struct Joined {
    pub begun: Duration,
    pub whole: Duration,
}

impl Entrance {
    /// Lets reader number `reader` in, and returns what it was sent already.
    pub fn enter(self, reader: u64) -> (TcpStream, Vec<u8>) {
        match self {
            Self::Floor(address) => (connect(address), Vec::new()),
            Self::Door(address) => upgrade(connect(address), &ticket::request(reader)),
        }
    }

    /// Lets a reader in who leaves again as soon as it has something to show.
    pub fn join(self, reader: u64) -> Joined {
        let (Self::Door(address) | Self::Floor(address)) = self;
        // Its token is minted by somebody else and beforehand.
        let request = ticket::request(reader);
        let start = Instant::now();
        let (mut socket, mut bytes) = upgrade(connect(address), &request);
        let mut inspector = Inspector::default();
        let mut buffer = [0; 16 * 1024];
        let mut begun = None;
        loop {
            let mut whole = None;
            inspector.read(&bytes, |event| {
                if let Event::Fragment(seen) = event
                    && whole.is_none()
                {
                    assert!(seen.keyframe, "a reader starts at a keyframe");
                    whole = Some(start.elapsed());
                }
            });
            if begun.is_none() && (whole.is_some() || inspector.fragment_begun()) {
                begun = Some(start.elapsed());
            }
            if let (Some(begun), Some(whole)) = (begun, whole) {
                return Joined { begun, whole };
            }
            let length = socket.read(&mut buffer).expect("media in time");
            assert!(length > 0, "the server closes nobody");
            bytes.clear();
            bytes.extend_from_slice(&buffer[..length]);
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the server listens");
    let patient = socket.set_read_timeout(Some(PATIENCE));
    patient.expect("a TCP socket");
    socket
}

fn upgrade(mut socket: TcpStream, request: &str) -> (TcpStream, Vec<u8>) {
    socket.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = socket.read(&mut buffer).expect("an answer in time");
        assert!(length > 0, "an upgrade is answered");
        answer.extend_from_slice(&buffer[..length]);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            assert!(answer.starts_with(b"HTTP/1.1 101 "), "an upgrade");
            answer.drain(..end + 4);
            return (socket, answer);
        }
    }
}
