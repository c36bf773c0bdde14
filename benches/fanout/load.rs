//! The readers: one thread that drains all sockets, and one that lets new readers in.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use serde_json::{Value, json};

use super::child::{answer, orders};
use super::connect::Entrance;
use super::inspect::{Event, Inspector};
use super::support::machine::{
    self,
    processes::{MEASURING_CORE, allow_files, now_nanos},
};
use super::tally::Tally;

const WAKER: Token = Token(usize::MAX);

/// More than a keyframe, so that a message is one read().
const BUFFER: usize = 256 * 1024;

/// A pong without payload, masked with zeros as it must be masked (RFC 6455, 5.3).
const PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];

/// Between two that join. No divisor of a second, so that they meet all phases of the stream.
const JOIN_EVERY: Duration = Duration::from_millis(37);

struct Reader {
    socket: mio::net::TcpStream,
    inspector: Inspector,
    last: Option<u32>,
}

struct Load {
    poll: Poll,
    readers: Vec<Reader>,
    tally: Tally,
    buffer: Vec<u8>,
}

enum Job {
    Connect(u64),
    Join(u64),
}

type Entered = (TcpStream, Vec<u8>);

/// Runs until the parent is gone.
pub fn run(entrance: Entrance) {
    machine::pin(MEASURING_CORE);
    allow_files();
    let poll = Poll::new().expect("an epoll");
    let waker = Waker::new(poll.registry(), WAKER).expect("an eventfd");
    let waker = Arc::new(waker);
    let (entered, enters) = channel();
    let (jobs, todo) = channel();
    let wake = Arc::clone(&waker);
    std::thread::spawn(move || doorman(entrance, &todo, &entered, &wake));
    let orders = orders(move || waker.wake().expect("an eventfd takes it"));
    let mut load = Load {
        poll,
        readers: Vec::new(),
        tally: Tally::new(matches!(entrance, Entrance::Door(_))),
        buffer: vec![0; BUFFER],
    };
    answer(json!({}));
    let mut events = Events::with_capacity(1024);
    loop {
        match load.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled.expect("an epoll"),
        }
        for event in &events {
            match event.token() {
                WAKER => load.obey(&orders, &enters, &jobs),
                Token(index) => load.drain(index),
            }
        }
    }
}

/// Works in its own time, because it waits for answers.
fn doorman(entrance: Entrance, todo: &Receiver<Job>, entered: &Sender<Entered>, waker: &Waker) {
    let mut number = 0..;
    while let Ok(job) = todo.recv() {
        match job {
            Job::Connect(readers) => {
                let start = Instant::now();
                for reader in number.by_ref().take(readers as usize) {
                    let new = entrance.enter(reader);
                    entered.send(new).expect("the load is there");
                    waker.wake().expect("an eventfd takes it");
                }
                answer(json!({"seconds": start.elapsed().as_secs_f64()}));
            }
            Job::Join(readers) => {
                let joins = number.by_ref().take(readers as usize).map(|reader| {
                    std::thread::sleep(JOIN_EVERY);
                    entrance.join(reader)
                });
                let millis = |time: Duration| time.as_secs_f64() * 1000.0;
                let (begun, whole): (Vec<f64>, Vec<f64>) = joins
                    .map(|joined| (millis(joined.begun), millis(joined.whole)))
                    .unzip();
                answer(json!({"begun": begun, "whole": whole}));
            }
        }
    }
}

impl Load {
    fn obey(&mut self, orders: &Receiver<String>, enters: &Receiver<Entered>, jobs: &Sender<Job>) {
        for (socket, bytes) in enters.try_iter() {
            self.add(socket, &bytes);
        }
        for order in orders.try_iter() {
            let mut words = order.split(' ');
            let name = words.next().unwrap_or_default();
            let count = words.next().and_then(|word| word.parse().ok());
            match (name, count) {
                ("connect", Some(readers)) => jobs.send(Job::Connect(readers)).expect("a doorman"),
                ("join", Some(readers)) => jobs.send(Job::Join(readers)).expect("a doorman"),
                ("begin", None) => {
                    self.tally.begin();
                    answer(json!({}));
                }
                ("end", None) => answer(self.tally.end()),
                ("finish", None) => answer(self.finish()),
                _ => panic!("nobody knows the order {order}"),
            }
        }
    }

    fn add(&mut self, socket: TcpStream, bytes: &[u8]) {
        socket.set_nonblocking(true).expect("a TCP socket");
        let mut socket = mio::net::TcpStream::from_std(socket);
        let index = self.readers.len();
        let registry = self.poll.registry();
        let registered = registry.register(&mut socket, Token(index), Interest::READABLE);
        registered.expect("an epoll takes it");
        self.readers.push(Reader {
            socket,
            inspector: Inspector::default(),
            last: None,
        });
        self.readers[index].take(bytes, &mut self.tally);
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        let reader = &mut self.readers[index];
        loop {
            match reader.socket.read(&mut self.buffer) {
                Ok(0) => {
                    self.tally.closed += 1;
                    return;
                }
                Ok(length) => {
                    reader.take(&self.buffer[..length], &mut self.tally);
                    // What comes after a short read makes a new event (epoll(7), question 9).
                    if length < self.buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.tally.closed += 1;
                    return;
                }
            }
        }
    }

    /// What every reader must have had by now.
    fn finish(&self) -> Value {
        let last = self.readers.iter().map(|reader| reader.last.unwrap_or(0));
        json!({
            "readers": self.readers.len(),
            "first_last": last.clone().min(),
            "last_last": last.max(),
            "gaps": self.tally.gaps,
            "closed": self.tally.closed,
            "started_elsewhere": self.tally.started_elsewhere,
        })
    }
}

impl Reader {
    fn take(&mut self, bytes: &[u8], tally: &mut Tally) {
        let now = now_nanos();
        let (socket, last) = (&mut self.socket, &mut self.last);
        self.inspector.read(bytes, |event| match event {
            Event::Fragment(seen) => {
                tally.fragment(*last, &seen, now);
                *last = Some(seen.sequence);
            }
            Event::Ping => {
                // Six bytes always fit into a socket that nothing else is written to.
                let _ = socket.write(&PONG);
            }
            Event::Close => tally.closed += 1,
            Event::Other => {}
        });
    }
}
