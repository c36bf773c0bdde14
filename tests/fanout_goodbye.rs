//! How the fan-out ends: what its sessions may still say, and for how long.
//! Not covered: what the H5Live session says (element_doors.rs), and TLS.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h5live::hub::fanout::{Fanout, Limits, Session, Socket};
use h5live::hub::topic::Topic;

/// More than the kernel's buffers of one connection hold.
const BACKLOG: usize = 32 << 20;

const PATIENCE: Duration = Duration::from_secs(60);

/// Has a lot to send, and says goodbye after it.
struct Talker {
    out: Vec<Bytes>,
    stopped: bool,
}

impl Session for Talker {
    type Request = ();
    type Reply = ();

    fn receive(&mut self, _: Instant, _: &[u8]) {}
    fn reply(&mut self, _: Instant, (): ()) {}
    fn request(&mut self) -> Option<()> {
        None
    }
    fn output(&mut self, _: Instant, out: &mut Vec<Bytes>) -> bool {
        out.append(&mut self.out);
        false
    }
    fn topic(&self) -> Option<&Arc<Topic>> {
        None
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn timeout(&mut self, _: Instant) {}
    fn stop(&mut self, _: Instant) {
        if !self.stopped {
            self.out.push(Bytes::from_static(b"goodbye"));
            self.stopped = true;
        }
    }
    fn finished(&self) -> bool {
        self.stopped && self.out.is_empty()
    }
}

fn start() -> Fanout<Talker> {
    let limits = Limits {
        threads: 1,
        ..Limits::default()
    };
    Fanout::start(&limits, Arc::new(|_, ()| {})).unwrap()
}

/// Hands the fan-out a session with a backlog, and gives the client's end.
fn client(fanout: &Fanout<Talker>, backlog: usize) -> TcpStream {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = Socket::plain(listener.accept().unwrap().0).unwrap();
    let session = Talker {
        out: vec![Bytes::from(vec![b'.'; backlog])],
        stopped: false,
    };
    fanout.add(socket, session, Bytes::new());
    client
}

/// Drops the fan-out on a thread of its own, and says how long that took.
fn drop_elsewhere(fanout: Fanout<Talker>) -> mpsc::Receiver<Duration> {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let began = Instant::now();
        drop(fanout);
        done.send(began.elapsed()).unwrap();
    });
    wait
}

#[test]
fn dropping_it_keeps_the_patience_that_was_promised() {
    let fanout = start();
    let mut client = client(&fanout, BACKLOG);
    fanout.stop(PATIENCE);
    let dropped = drop_elsewhere(fanout);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), BACKLOG + "goodbye".len());
    assert!(heard.ends_with(b"goodbye"));
    drop(client);
    let took = dropped.recv_timeout(PATIENCE).unwrap();
    assert!(took < PATIENCE, "it ends with its last session");
}

#[test]
fn a_client_that_takes_nothing_does_not_hold_it_longer() {
    let fanout = start();
    let client = client(&fanout, BACKLOG);
    fanout.stop(Duration::from_millis(100));
    let dropped = drop_elsewhere(fanout);
    dropped.recv_timeout(PATIENCE).unwrap();
    drop(client);
}

#[test]
fn without_a_promise_dropping_it_ends_it_at_once() {
    let fanout = start();
    let client = client(&fanout, BACKLOG);
    drop_elsewhere(fanout).recv_timeout(PATIENCE).unwrap();
    drop(client);
}

#[test]
fn whoever_comes_after_the_end_is_closed() {
    let fanout = start();
    fanout.stop(Duration::ZERO);
    fanout.join();
    let mut late = client(&fanout, 1);
    match late.read(&mut [0; 16]) {
        Ok(length) => assert_eq!(length, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}
