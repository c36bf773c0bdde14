//! Lets readers in beside the thread that drains them, because coming in means to wait for answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use mio::Waker;
use serde_json::{Value, json};

use super::child::answer;
use super::connect::{Arrival, Entered, Entrance};

/// Readers that come in at the same time when all shall be in soon, and when each has a time of its own.
const AT_ONCE: usize = 8;
const AT_THEIR_TIMES: u64 = 32;

/// Between two that join. No divisor of a second, so that they meet all phases of the stream.
const JOIN_EVERY: Duration = Duration::from_millis(37);

pub enum Job {
    /// So many come in, as fast as they can.
    Connect(u64),
    /// So many join one after the other, and leave again when they have something to show.
    Join(u64),
    /// So many join within that time, evenly, and stay.
    Rush(u64, Duration),
}

pub struct Doorman {
    pub entrance: Entrance,
    pub entered: Sender<Entered>,
    pub waker: Arc<Waker>,
    /// The next reader's number.
    pub next: u64,
}

impl Doorman {
    /// Works until the load is gone, and answers the parent after each job.
    pub fn work(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let (Job::Connect(readers) | Job::Join(readers) | Job::Rush(readers, _)) = job;
            let first = self.next;
            self.next += readers;
            answer(match job {
                Job::Connect(_) => self.connect(first, readers),
                Job::Join(_) => self.join(first, readers),
                Job::Rush(_, within) => self.rush(first, readers, within),
            });
        }
    }

    fn hand_over(&self, entered: Entered) {
        self.entered.send(entered).expect("the load is there");
        self.waker.wake().expect("an eventfd takes it");
    }

    fn connect(&self, first: u64, readers: u64) -> Value {
        let start = Instant::now();
        let (next, failed) = (AtomicU64::new(first), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= first + readers {
                            return;
                        }
                        match self.entrance.enter(number) {
                            Ok(entered) => self.hand_over(entered),
                            Err(_) => {
                                failed.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
        });
        json!({
            "seconds": start.elapsed().as_secs_f64(),
            "failed": failed.into_inner(),
        })
    }

    fn join(&self, first: u64, readers: u64) -> Value {
        let joins = (first..first + readers).filter_map(|number| {
            std::thread::sleep(JOIN_EVERY);
            let (_, arrival) = self.entrance.arrive(number, true).ok()?;
            Some(arrival)
        });
        told(&joins.collect::<Vec<_>>(), readers)
    }

    fn rush(&self, first: u64, readers: u64, within: Duration) -> Value {
        let start = Instant::now();
        let apart = within / readers.max(1) as u32;
        let hand = |hand: u64| {
            let numbers = (hand..readers).step_by(AT_THEIR_TIMES as usize);
            let arrivals = numbers.filter_map(|place| {
                let due = start + apart * place as u32;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let (entered, arrival) = self.entrance.arrive(first + place, false).ok()?;
                self.hand_over(entered);
                Some(arrival)
            });
            arrivals.collect::<Vec<_>>()
        };
        let arrivals = std::thread::scope(|scope| {
            let hands: Vec<_> = (0..AT_THEIR_TIMES)
                .map(|number| scope.spawn(move || hand(number)))
                .collect();
            let arrivals = hands.into_iter().map(|hand| hand.join().expect("a hand"));
            arrivals.flatten().collect::<Vec<_>>()
        });
        told(&arrivals, readers)
    }
}

/// Milliseconds.
fn told(arrivals: &[Arrival], wanted: u64) -> Value {
    let each = |figure: fn(&Arrival) -> Option<f64>| {
        arrivals.iter().filter_map(figure).collect::<Vec<f64>>()
    };
    json!({
        "answered": each(|it| Some(Arrival::millis(it.called, it.answered))),
        "after_answer": each(|it| Some(Arrival::millis(it.answered, it.begun))),
        "begun": each(|it| Some(Arrival::millis(it.called, it.begun))),
        "whole": each(|it| it.whole.map(|whole| Arrival::millis(it.called, whole))),
        "failed": wanted - arrivals.len() as u64,
    })
}
