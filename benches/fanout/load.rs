//! The readers: one thread that drains all sockets, and one that lets new readers in.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token, Waker};
use serde_json::{Value, json};

use super::child::{answer, orders};
use super::connect::{Entered, Entrance};
use super::doorman::{Doorman, Job};
use super::media::keyframe_bytes;
use super::reader::Reader;
use super::setup::Setup;
use super::specimen::Specimen;
use super::support::drain::Buffer;
use super::support::machine::{
    self,
    processes::{MEASURING_CORE, allow_files, now_nanos},
};
use super::tally::Tally;

const WAKER: Token = Token(usize::MAX);

struct Load {
    setup: Setup,
    door: bool,
    poll: Poll,
    readers: Vec<Reader>,
    tally: Tally,
    buffer: Buffer,
    /// One of so many is watched.
    watch_every: u64,
}

/// Runs until the parent is gone.
pub fn run(setup: Setup, entrance: Entrance) {
    if setup.cores == 1 {
        machine::pin(MEASURING_CORE);
    }
    allow_files();
    let poll = Poll::new().expect("an epoll");
    let waker = Waker::new(poll.registry(), WAKER).expect("an eventfd");
    let waker = Arc::new(waker);
    let (entered, enters) = channel();
    let (jobs, todo) = channel();
    let door = entrance.is_door();
    let doorman = Doorman {
        entrance,
        entered,
        waker: Arc::clone(&waker),
        next: 0,
    };
    std::thread::spawn(move || doorman.work(&todo));
    let orders = orders(move || waker.wake().expect("an eventfd takes it"));
    let mut load = Load {
        setup,
        door,
        poll,
        readers: Vec::new(),
        tally: Tally::new(door),
        buffer: Buffer::default(),
        watch_every: 1,
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
                Token(index) => {
                    let buffer = load.buffer.bytes();
                    load.readers[index].read(buffer, now_nanos(), &mut load.tally);
                }
            }
        }
    }
}

impl Load {
    fn obey(&mut self, orders: &Receiver<String>, enters: &Receiver<Entered>, jobs: &Sender<Job>) {
        for entered in enters.try_iter() {
            self.add(entered);
        }
        for order in orders.try_iter() {
            let words: Vec<&str> = order.split(' ').collect();
            let number = |word: &str| word.parse::<u64>().expect("a number");
            let job = |job| jobs.send(job).expect("a doorman");
            match words[..] {
                ["watch", every] => {
                    self.watch_every = number(every);
                    answer(json!({}));
                }
                ["connect", readers] => job(Job::Connect(number(readers))),
                ["join", readers] => job(Job::Join(number(readers))),
                ["rush", readers, seconds] => {
                    let within = Duration::from_secs(number(seconds));
                    job(Job::Rush(number(readers), within));
                }
                ["begin"] => {
                    self.tally.begin();
                    self.readers.iter_mut().for_each(Reader::mark);
                    answer(json!({}));
                }
                ["end"] => answer(self.tally.end()),
                ["behind"] => answer(json!(self.behind())),
                ["finish"] => answer(self.finish()),
                _ => panic!("nobody knows the order {order}"),
            }
        }
    }

    fn add(&mut self, mut entered: Entered) {
        let watched = entered.number.is_multiple_of(self.watch_every);
        // The floor has no door, and sends no init segment.
        let is_looked_at = self.door && entered.number == 0;
        let bytes = std::mem::take(&mut entered.bytes);
        let specimen = is_looked_at.then(Specimen::default);
        let sealed = self.setup.tls && !self.door;
        let mut reader = Reader::new(entered, watched, sealed, specimen);
        let index = self.readers.len();
        let registry = self.poll.registry();
        let registered = registry.register(&mut reader.socket, Token(index), Interest::READABLE);
        registered.expect("an epoll takes it");
        let now = now_nanos();
        reader.catch_up(&bytes, now, &mut self.tally);
        reader.read(self.buffer.bytes(), now, &mut self.tally);
        self.readers.push(reader);
    }

    /// What every reader must have had by now.
    fn finish(&self) -> Value {
        let specimen = self.readers.iter().find_map(Reader::specimen);
        json!({
            "readers": self.readers.len(),
            "behind": self.behind(),
            "gaps": self.tally.gaps,
            "closed": self.tally.closed,
            "started_elsewhere": self.tally.started_elsewhere,
            "specimen": specimen.map(Specimen::judge),
        })
    }

    /// How many have not had what the others of their stream had: the very last fragment, of those who are
    /// watched. Of the others as many bytes since the window began, give or take the messages that they
    /// were in then.
    fn behind(&self) -> usize {
        let mut latest = BTreeMap::new();
        let mut bytes: Vec<u64> = self.readers.iter().filter_map(Reader::drained).collect();
        bytes.sort_unstable();
        let usual = bytes.get(bytes.len() / 2).copied().unwrap_or(0);
        let tolerance = 2 * keyframe_bytes(self.setup.kbit) as u64;
        let of_stream = |reader: &Reader| reader.number % self.setup.streams as u64;
        for reader in &self.readers {
            let last = latest.entry(of_stream(reader)).or_insert(0);
            *last = reader.last().unwrap_or(0).max(*last);
        }
        let is_behind = |reader: &&Reader| match (reader.last(), reader.drained()) {
            (Some(last), _) => last == 0 || last < latest[&of_stream(reader)],
            (None, drained) => drained.unwrap_or(0) + tolerance < usual,
        };
        self.readers.iter().filter(is_behind).count()
    }
}
