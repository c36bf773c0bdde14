//! How the fan-out ends, and how it ends a session: what may still be said, and for how long.
//! Not covered: what the H5Live session says (element_doors.rs), and TLS.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h5live::hub::fanout::{Fanout, Limits, Session, Socket};
use h5live::hub::topic::Topic;

/// More than the kernel's buffers of one connection hold.
const BACKLOG: usize = 32 << 20;

/// One of the messages that it consists of.
const MESSAGE: usize = 1 << 20;

const PATIENCE: Duration = Duration::from_secs(60);

/// Has a lot to send, and says goodbye after it.
struct Talker {
    out: Vec<Bytes>,
    stopped: bool,
    /// Whether a review finds that it is to end.
    ended: Arc<AtomicBool>,
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
    fn review(&mut self, now: Instant) -> bool {
        let ended = self.ended.load(Ordering::Relaxed);
        if ended && !self.stopped {
            self.out.clear();
            self.stop(now);
        }
        ended
    }
    fn finished(&self) -> bool {
        self.stopped && self.out.is_empty()
    }
}

fn start() -> Fanout<Talker> {
    start_with(Limits::default().ending)
}

fn start_with(ending: Duration) -> Fanout<Talker> {
    let limits = Limits {
        threads: 1,
        ending,
        ..Limits::default()
    };
    Fanout::start(&limits, Arc::new(|_, ()| {})).unwrap()
}

/// Hands the fan-out a session with a backlog, and gives the client's end.
fn client(fanout: &Fanout<Talker>, backlog: usize) -> TcpStream {
    ending_client(fanout, backlog, MESSAGE, &Arc::default())
}

fn ending_client(
    fanout: &Fanout<Talker>,
    backlog: usize,
    message: usize,
    ended: &Arc<AtomicBool>,
) -> TcpStream {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = Socket::plain(listener.accept().unwrap().0).unwrap();
    let session = Talker {
        out: vec![b'.'; backlog]
            .chunks(message)
            .map(Bytes::copy_from_slice)
            .collect(),
        stopped: false,
        ended: Arc::clone(ended),
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

#[test]
fn who_was_ended_on_the_way_here_gets_the_goodbye_alone() {
    let fanout = start();
    let mut client = ending_client(&fanout, BACKLOG, MESSAGE, &Arc::new(true.into()));
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"goodbye");
}

/// Waits until the backlog's first byte is there.
fn blocked(fanout: &Fanout<Talker>, message: usize, ended: &Arc<AtomicBool>) -> TcpStream {
    let mut client = ending_client(fanout, BACKLOG, message, ended);
    client.read_exact(&mut [0]).unwrap();
    client
}

#[test]
fn who_is_ended_gets_the_message_that_has_begun_and_the_goodbye() {
    let fanout = start_with(PATIENCE);
    let ended = Arc::default();
    let mut client = blocked(&fanout, MESSAGE, &ended);
    ended.store(true, Ordering::Relaxed);
    // A second one must not take the goodbye away.
    fanout.review();
    fanout.review();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert!(heard.ends_with(b"goodbye"));
    let media = 1 + heard.len() - "goodbye".len();
    assert_eq!(media % MESSAGE, 0, "whole messages");
    assert!(media < BACKLOG, "all of it was sent");
}

#[test]
fn who_is_ended_and_takes_nothing_is_closed_without_it() {
    let fanout = start();
    let ended = Arc::default();
    let mut client = blocked(&fanout, BACKLOG, &ended);
    ended.store(true, Ordering::Relaxed);
    fanout.review();
    let began = Instant::now();
    while fanout.counters().sessions.load(Ordering::Relaxed) > 0 {
        assert!(began.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(5));
    }
    // It may have left what the kernel had taken, and no more.
    let mut heard = Vec::new();
    let _ = client.read_to_end(&mut heard);
    assert!(heard.len() < BACKLOG && !heard.ends_with(b"goodbye"));
}
