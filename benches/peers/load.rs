//! Many clients on one thread: they drain what comes, and a sample of them looks for every frame.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{ClockId, clock_gettime};

use super::drain::{Buffer, acknowledge, drop_all};
use super::figures::percentile;
use super::machine::processes::now_nanos;
use super::process::core_busy;
use super::stamp::Finder;

/// One of so many clients looks for every frame, but not more than so many; the others drop their bytes and count
/// them. To copy and search a keyframe for each would take the load longer than the server.
const SAMPLE_OF: usize = 10;
const SAMPLE: usize = 50;
/// So many do without a choice.
const FEW: usize = 20;

/// A pause between two that connect, so that a server's queue of connections stays short.
const CONNECT_EVERY: Duration = Duration::from_millis(2);

/// How long a server may leave one waiting that connects, all that connect, and all until each has had media.
const ACCEPTS: Duration = Duration::from_secs(2);
const ENTER: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(30);

/// Without asking: some servers want a sign of life. A pong, masked with zeros (RFC 6455, 5.5.3).
const PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];
const PONG_EVERY: Duration = Duration::from_secs(10);

/// Less than this part of what was published means that something was left out, or is late for good.
const WHOLE: f64 = 0.95;

struct Client {
    socket: Option<TcpStream>,
    finder: Option<Finder>,
    /// The last frame that was seen, by a client of the sample.
    frame: Option<u32>,
    gaps: u32,
    bytes: u64,
}

/// What a round has shown.
pub struct Seen {
    pub cpu_nanos: u64,
    pub wall: Duration,
    /// Milliseconds from the publisher's socket to a client's.
    pub p50: f64,
    pub p99: f64,
    /// Clients that were there to the end.
    pub playing: usize,
    pub refused: usize,
    pub closed: usize,
    pub lost: usize,
    /// Share of the load's thread, and of all on its core, in one core.
    pub own_busy: f64,
    pub core_busy: f64,
    pub megabits: f64,
    /// Of the server's memory, when all are in.
    pub kib: u64,
}

pub struct Load {
    poll: Poll,
    clients: Vec<Client>,
    delays: Vec<f64>,
    refused: usize,
    closed: usize,
    measures: bool,
    /// Whether the server reads what clients say.
    talks: bool,
    buffer: Buffer,
}

impl Load {
    pub fn new(talks: bool) -> Self {
        Self {
            poll: Poll::new().expect("an epoll"),
            clients: Vec::new(),
            delays: Vec::new(),
            refused: 0,
            closed: 0,
            measures: false,
            talks,
            buffer: Buffer::default(),
        }
    }

    /// Lets all in, waits until media has reached each, and measures a window. `server` tells its CPU
    /// nanoseconds, its memory in KiB, and the bytes that were published.
    pub fn run(
        mut self,
        address: SocketAddr,
        requests: &[String],
        [warm_up, window]: [Duration; 2],
        server: impl Fn() -> [u64; 3],
    ) -> Seen {
        let every = match requests.len() {
            ..=FEW => 1,
            clients => clients.div_ceil(SAMPLE).max(SAMPLE_OF),
        };
        let begun = Instant::now();
        for (index, request) in requests.iter().enumerate() {
            if begun.elapsed() > ENTER || !self.connect(address, request, index % every == 0) {
                self.refused += 1;
            }
            self.drain(CONNECT_EVERY);
        }
        let begun = Instant::now();
        while self.clients.iter().any(Client::waits) && begun.elapsed() < PATIENCE {
            self.drain(Duration::from_millis(100));
        }
        self.pong();
        self.drain(warm_up);
        for client in &mut self.clients {
            (client.bytes, client.gaps) = (0, 0);
        }
        self.measures = true;
        let (own, core) = (thread_nanos(), core_busy(1));
        let [cpu, kib, published] = server();
        let begun = Instant::now();
        while begun.elapsed() < window {
            self.drain(PONG_EVERY.min(window.saturating_sub(begun.elapsed())));
            self.pong();
        }
        let wall = begun.elapsed();
        let share = |nanos: u64| nanos as f64 / wall.as_nanos() as f64;
        let [end_cpu, _, end_published] = server();
        let cpu_nanos = end_cpu - cpu;
        let own_busy = share(thread_nanos() - own);
        let core_busy = share(core_busy(1) - core);
        self.seen(
            end_published - published,
            Seen {
                cpu_nanos,
                wall,
                kib,
                own_busy,
                core_busy,
                p50: f64::NAN,
                p99: f64::NAN,
                playing: 0,
                refused: 0,
                closed: 0,
                lost: 0,
                megabits: 0.0,
            },
        )
    }

    fn seen(mut self, published: u64, seen: Seen) -> Seen {
        let bytes: u64 = self.clients.iter().map(|client| client.bytes).sum();
        let least = (published as f64 * WHOLE) as u64;
        let lost =
            |client: &&Client| client.socket.is_some() && (client.bytes < least || client.gaps > 0);
        self.delays.sort_by(f64::total_cmp);
        let delay = |percent| match &self.delays[..] {
            [] => f64::NAN,
            delays => percentile(delays, percent),
        };
        Seen {
            p50: delay(50.0),
            p99: delay(99.0),
            playing: (self.clients.iter().filter(|client| client.socket.is_some())).count(),
            refused: self.refused,
            closed: self.closed,
            lost: self.clients.iter().filter(lost).count(),
            megabits: bytes as f64 * 8.0 / 1e6 / seen.wall.as_secs_f64(),
            ..seen
        }
    }

    /// False where the server does not accept.
    fn connect(&mut self, address: SocketAddr, request: &str, sampled: bool) -> bool {
        let Ok(mut socket) = std::net::TcpStream::connect_timeout(&address, ACCEPTS) else {
            return false;
        };
        socket.write_all(request.as_bytes()).expect("a request");
        socket.set_nonblocking(true).expect("a TCP socket");
        let mut socket = TcpStream::from_std(socket);
        let token = Token(self.clients.len());
        let registered = (self.poll.registry()).register(&mut socket, token, Interest::READABLE);
        registered.expect("an epoll takes it");
        self.clients.push(Client {
            socket: Some(socket),
            finder: sampled.then(Finder::default),
            frame: None,
            gaps: 0,
            bytes: 0,
        });
        true
    }

    fn drain(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let mut events = Events::with_capacity(1024);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.expect("an epoll"),
            }
            for event in &events {
                self.read(event.token().0);
            }
            if left.is_zero() {
                return;
            }
        }
    }

    fn read(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let buffer = self.buffer.bytes();
        // The answer is looked at, also by who looks at nothing behind it.
        let is_looked_at = client.finder.is_some() || client.bytes == 0 && !self.measures;
        while let Some(socket) = &mut client.socket {
            let read = match is_looked_at {
                true => socket.read(buffer),
                false => match drop_all(&*socket, buffer) {
                    Ok(dropped) => return client.bytes += dropped,
                    Err(error) => Err(error.into()),
                },
            };
            match read {
                Ok(length) if length > 0 => {
                    let bytes = &buffer[..length];
                    if client.bytes == 0 && !self.measures && !accepted(bytes) {
                        self.refused += 1;
                        client.socket = None;
                        return;
                    }
                    client.take(bytes, self.measures.then_some(&mut self.delays));
                    // What comes after a short read makes a new event (epoll(7), question 9).
                    if length < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    self.closed += 1;
                    client.socket = None;
                }
            }
        }
    }

    fn pong(&mut self) {
        if !self.talks {
            return;
        }
        for client in &mut self.clients {
            if let Some(socket) = &mut client.socket {
                // A client that is gone is noticed where it is read.
                let _ = socket.write(&PONG);
                acknowledge(&*socket);
            }
        }
    }
}

impl Client {
    /// Whether it has had no media yet: an answer's head is shorter.
    fn waits(&self) -> bool {
        self.socket.is_some() && self.bytes < 20_000
    }

    fn take(&mut self, bytes: &[u8], mut delays: Option<&mut Vec<f64>>) {
        self.bytes += bytes.len() as u64;
        let Some(finder) = &mut self.finder else {
            return;
        };
        let now = now_nanos();
        let (frame, gaps) = (&mut self.frame, &mut self.gaps);
        finder.read(bytes, |stamp| {
            let expected = frame.replace(stamp.frame).map(|frame| frame + 1);
            *gaps += u32::from(expected.is_some_and(|expected| expected != stamp.frame));
            if let Some(delays) = &mut delays {
                delays.push(now.saturating_sub(stamp.nanos) as f64 / 1e6);
            }
        });
    }
}

fn accepted(head: &[u8]) -> bool {
    head.starts_with(b"HTTP/1.1 101 ") || head.starts_with(b"HTTP/1.1 200 ")
}

fn thread_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
