//! Turns of writing, with sessions that follow one topic on one thread, over real sockets.

use std::collections::HashSet;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::{ClientConnection, StreamOwned};
use socket2::SockRef;

use super::{Fanout, Limits, Means, Session, Socket};
use crate::hub::topic::{Cursor, Topic};

const PATIENCE: Duration = Duration::from_secs(60);

/// What is published: an entry's bytes tell its number.
struct Log {
    topic: Arc<Topic>,
    /// Bytes of an entry.
    size: usize,
    end: AtomicU64,
    /// Who was asked for what comes next and had something to give, in this order.
    asked: Mutex<Vec<usize>>,
}

struct Follower {
    number: usize,
    log: Arc<Log>,
    at: u64,
    /// Whether it may be passed over.
    in_step: bool,
    own: Option<&'static [u8]>,
    /// Called while it is asked.
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

impl Session for Follower {
    type Request = ();
    type Reply = ();

    fn receive(&mut self, _: Instant, _: &[u8]) {}
    fn reply(&mut self, _: Instant, (): ()) {}
    fn request(&mut self) -> Option<()> {
        None
    }
    fn output(&mut self, _: Instant, out: &mut Vec<Bytes>) -> bool {
        let end = self.log.end.load(Ordering::Acquire);
        if self.at == end {
            return false;
        }
        out.extend(self.own.take().map(Bytes::from_static));
        out.extend((self.at..end).map(|entry| Bytes::from(vec![entry as u8; self.log.size])));
        self.at = end;
        self.log.asked.lock().unwrap().push(self.number);
        if let Some(meanwhile) = self.meanwhile.take() {
            meanwhile();
        }
        false
    }
    fn cursor(&self) -> Option<Cursor> {
        (self.in_step && self.own.is_none()).then_some(Cursor {
            sequence: self.at,
            generation: 1,
        })
    }
    fn pass(&mut self, next: Cursor) {
        self.at = next.sequence;
    }
    fn topic(&self) -> Option<&Arc<Topic>> {
        Some(&self.log.topic)
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn timeout(&mut self, _: Instant) {}
    fn stop(&mut self, _: Instant) {}
    fn finished(&self) -> bool {
        false
    }
}

/// How bytes go out, and how many at once.
#[derive(Clone, Copy, Debug)]
struct Way {
    means: Means,
    pages: bool,
    size: usize,
}

const WAYS: [Way; 4] = [
    Way {
        means: Means::Auto,
        pages: false,
        size: 1,
    },
    Way {
        means: Means::Epoll,
        pages: false,
        size: 1,
    },
    Way {
        means: Means::Auto,
        pages: true,
        size: 50_000,
    },
    Way {
        means: Means::Epoll,
        pages: true,
        size: 50_000,
    },
];

struct Scene {
    fanout: Arc<Fanout<Follower>>,
    log: Arc<Log>,
}

impl Scene {
    fn new(way: Way) -> Self {
        Self::with_threads(1, way)
    }

    fn with_threads(threads: usize, way: Way) -> Self {
        let limits = Limits {
            means: way.means,
            pages: way.pages,
            threads,
            ..Limits::default()
        };
        Self {
            fanout: Arc::new(Fanout::start(&limits, Arc::new(|_, ()| {})).unwrap()),
            log: Arc::new(Log {
                topic: Topic::new(),
                size: way.size,
                end: AtomicU64::new(0),
                asked: Mutex::default(),
            }),
        }
    }

    fn follower(&self, number: usize) -> Follower {
        Follower {
            number,
            log: Arc::clone(&self.log),
            at: 0,
            in_step: true,
            own: None,
            meanwhile: None,
        }
    }

    /// Waits until all who were added are there, and the poller has told of each new socket that it can be
    /// written: the thread answers before it looks at what the poller says, so the first answer is of the turn in
    /// which the last was added, and the third comes after the turn that heard of its socket.
    fn gather(&self) {
        for _ in 0..3 {
            let mut answers = self.fanout.survey(HashSet::new());
            assert!(answers.blocking_recv().is_some());
        }
    }

    fn publish(&self) {
        self.log.end.fetch_add(1, Ordering::Release);
        self.log.topic.ring();
    }
}

/// Both ends of a connection.
fn pair() -> (Socket, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let near = listener.accept().unwrap().0;
    // As a listener does it: there is room for an entry.
    let tuned = SockRef::from(&near).set_send_buffer_size(256 * 1024);
    tuned.unwrap();
    (Socket::plain(near).unwrap(), client)
}

fn read(client: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    client.read_exact(&mut bytes).unwrap();
    bytes
}

fn add(fanout: &Fanout<Follower>, follower: Follower) -> TcpStream {
    let (socket, client) = pair();
    fanout.add(socket, follower, Bytes::new());
    client
}

#[test]
fn of_those_in_step_one_is_asked_and_all_are_given_the_same() {
    for way in WAYS {
        let scene = Scene::new(way);
        let own: &[u8] = b"own";
        let mut clients: Vec<TcpStream> = (0..100)
            .map(|number| {
                let own = (number == 50).then_some(own);
                let follower = scene.follower(number);
                add(&scene.fanout, Follower { own, ..follower })
            })
            .collect();
        scene.gather();
        for _ in 0..3 {
            scene.publish();
            let entry = (scene.log.end.load(Ordering::Acquire) - 1) as u8;
            for (number, client) in clients.iter_mut().enumerate() {
                let before = if (number, entry) == (50, 0) { own } else { b"" };
                let expected = [before, &vec![entry; way.size]].concat();
                let is_as_expected = read(client, expected.len()) == expected;
                assert!(is_as_expected, "{way:?}, entry {entry} at {number}");
            }
        }
        // The first for all, and the one that had something to say for itself.
        let asked = std::mem::take(&mut *scene.log.asked.lock().unwrap());
        assert_eq!(asked, [0, 50, 0, 0], "{way:?}");
    }
}

#[test]
fn who_comes_while_many_are_served_does_not_wait_for_the_last() {
    for way in WAYS {
        let scene = Scene::new(way);
        let newcomer = Arc::<OnceLock<TcpStream>>::default();
        let mut clients: Vec<TcpStream> = (0..300)
            .map(|number| {
                let mut follower = scene.follower(number);
                follower.in_step = false;
                if number == 0 {
                    let (fanout, newcomer) = (Arc::downgrade(&scene.fanout), newcomer.clone());
                    let next = Follower {
                        number: usize::MAX,
                        ..scene.follower(0)
                    };
                    follower.meanwhile = Some(Box::new(move || {
                        let fanout = fanout.upgrade().unwrap();
                        newcomer.set(add(&fanout, next)).unwrap();
                    }));
                }
                add(&scene.fanout, follower)
            })
            .collect();
        scene.gather();
        scene.publish();
        for client in &mut clients {
            assert!(read(client, way.size).iter().all(|&byte| byte == 0));
        }
        let mut newcomer = newcomer.get().unwrap();
        newcomer.read_exact(&mut vec![0; way.size]).unwrap();
        let asked = scene.log.asked.lock().unwrap();
        let place = asked.iter().position(|&number| number == usize::MAX);
        assert!(place.unwrap() < 100, "{way:?}: after {place:?} others");
    }
}

#[test]
fn who_comes_goes_where_the_fewest_are_whoever_left_before() {
    let scene = Scene::with_threads(3, WAYS[0]);
    let threads = &scene.fanout.threads;
    let taken = || -> Vec<usize> {
        let each = threads.iter().map(|thread| thread.shared.seats.taken());
        each.collect()
    };
    let mut stay = Vec::new();
    for number in 0..12 {
        stay.push(add(&scene.fanout, scene.follower(number)));
        // Two look in and leave, so that all who stay would be on one thread if it just went round.
        let brief = [0, 1].map(|_| add(&scene.fanout, scene.follower(number)));
        drop(brief);
        let start = Instant::now();
        while taken().iter().sum::<usize>() > stay.len() {
            assert!(start.elapsed() < PATIENCE, "they are still there");
            std::thread::yield_now();
        }
    }
    assert_eq!(taken(), [4, 4, 4]);
}

#[test]
fn by_tls_each_gets_all_in_order_also_who_stood_still() {
    const ENTRIES: usize = 150;
    const SIZE: usize = 10_000;
    for means in [Means::Auto, Means::Epoll] {
        let scene = Scene::new(Way {
            means,
            pages: true,
            size: SIZE,
        });
        // More than are sealed at once.
        let mut clients: Vec<_> = (0..40)
            .map(|number| {
                let (socket, client) = super::socket::tests::pair();
                client.sock.set_read_timeout(Some(PATIENCE)).unwrap();
                scene
                    .fanout
                    .add(socket, scene.follower(number), Bytes::new());
                client
            })
            .collect();
        scene.gather();
        let (still, reading) = clients.split_at_mut(2);
        let entry_of = |client: &mut StreamOwned<ClientConnection, TcpStream>| {
            let mut bytes = [0; SIZE];
            client.read_exact(&mut bytes).unwrap();
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            usize::from(bytes[0])
        };
        for entry in 0..ENTRIES {
            scene.publish();
            for client in reading.iter_mut() {
                assert_eq!(entry_of(client), entry, "{means:?}");
            }
        }
        // It is more than their sockets hold.
        for client in still {
            for entry in 0..ENTRIES {
                assert_eq!(entry_of(client), entry, "{means:?}");
            }
        }
    }
}
