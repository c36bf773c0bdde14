//! Many WebSocket clients that read all they are sent, and note when they are told that it is over.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

/// Whoever is not told by then never is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Enough of what came last to hold a close frame.
const TAIL: usize = 127;

pub struct Audience {
    poll: Poll,
    clients: Vec<Client>,
}

struct Client {
    socket: mio::net::TcpStream,
    tail: Vec<u8>,
    ended: Option<Instant>,
}

impl Audience {
    /// Lets so many in, all by the same URL.
    pub fn enter(url: &str, count: usize) -> Self {
        let poll = Poll::new().expect("a poller");
        let clients = (0..count).map(|index| {
            let mut socket = mio::net::TcpStream::from_std(upgrade(url));
            let token = Token(index);
            poll.registry()
                .register(&mut socket, token, Interest::READABLE)
                .expect("it can be polled");
            Client {
                socket,
                tail: Vec::new(),
                ended: None,
            }
        });
        let clients = clients.collect();
        Self { poll, clients }
    }

    /// Reads for so long; nobody may be ended.
    pub fn watch(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.read();
        }
        assert!(self.clients.iter().all(|client| client.ended.is_none()));
    }

    /// Reads until all are ended; milliseconds from `since`, sorted.
    pub fn ends(mut self, since: Instant) -> Vec<f64> {
        while self.clients.iter().any(|client| client.ended.is_none()) {
            assert!(since.elapsed() < PATIENCE, "some are never told");
            self.read();
        }
        let ended = self.clients.iter().filter_map(|client| client.ended);
        let mut times: Vec<f64> = ended
            .map(|ended| ended.duration_since(since).as_secs_f64() * 1000.0)
            .collect();
        times.sort_by(f64::total_cmp);
        times
    }

    fn read(&mut self) {
        let mut events = Events::with_capacity(1024);
        self.poll
            .poll(&mut events, Some(Duration::from_millis(50)))
            .expect("the poller works");
        let mut buffer = vec![0; 64 * 1024];
        for event in &events {
            self.clients[event.token().0].read(&mut buffer);
        }
    }
}

impl Client {
    fn read(&mut self, buffer: &mut [u8]) {
        while self.ended.is_none() {
            match self.socket.read(buffer) {
                Ok(0) => {
                    self.ended = Some(Instant::now());
                    // A close frame's head, and 4901.
                    let code = self.tail.windows(4).rev().find(|four| four[0] == 0x88);
                    assert_eq!(
                        code.map(|four| &four[2..]),
                        Some(&4901_u16.to_be_bytes()[..])
                    );
                }
                Ok(length) => {
                    self.tail
                        .extend_from_slice(&buffer[length.saturating_sub(TAIL)..length]);
                    let excess = self.tail.len().saturating_sub(TAIL);
                    self.tail.drain(..excess);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("a connection broke: {error}"),
            }
        }
    }
}

fn upgrade(url: &str) -> TcpStream {
    let rest = url.strip_prefix("ws://").expect("a plain address");
    let (authority, path) = rest.split_once('/').expect("a path");
    let mut socket = TcpStream::connect(authority).expect("the server accepts");
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("it is sent");
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    socket.set_nonblocking(true).expect("it can be polled");
    socket
}
