//! Many clients of one door that read all they are sent, and note when they are told that it is over.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::door::{Door, News};

/// Whoever is not told by then never is.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Audience {
    poll: Poll,
    clients: Vec<Client>,
}

struct Client {
    socket: mio::net::TcpStream,
    door: Box<dyn Door>,
    ended: Option<Instant>,
}

impl Audience {
    /// Lets so many in at `authority`; `door` makes number N.
    pub fn enter(authority: &str, count: usize, door: impl Fn(usize) -> Box<dyn Door>) -> Self {
        let poll = Poll::new().expect("a poller");
        let clients = (0..count).map(|index| {
            let door = door(index);
            let socket = TcpStream::connect(authority).expect("the server accepts");
            let mut socket = begin(socket, &door.request());
            let token = Token(index);
            poll.registry()
                .register(&mut socket, token, Interest::READABLE)
                .expect("it can be polled");
            Client {
                socket,
                door,
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
            let news = match self.socket.read(buffer) {
                Ok(length) => self.door.read(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("a connection broke: {error}"),
            };
            match news {
                News::None => {}
                News::Ended => self.ended = Some(Instant::now()),
                News::Ask(request) => {
                    let sent = self.socket.write(request.as_bytes()).ok();
                    assert_eq!(sent, Some(request.len()), "a short request is taken whole");
                }
            }
        }
    }
}

/// Sends the first request; a full queue of connections is waited out.
fn begin(mut socket: TcpStream, request: &str) -> mio::net::TcpStream {
    socket.write_all(request.as_bytes()).expect("it is sent");
    socket.set_nonblocking(true).expect("it can be polled");
    mio::net::TcpStream::from_std(socket)
}
