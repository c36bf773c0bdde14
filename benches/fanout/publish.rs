//! Publishes frames in real time, to the server or to the floor alike, and answers the parent.

use std::num::NonZeroU64;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;
use serde_json::{Value, json};

use super::child::answer;
use super::media::FRAMES_PER_SECOND;
use super::support::machine::{cpu_nanos, processes::now_nanos};

/// How often it is looked whether a fragment has been written to everybody.
const WATCH_EVERY: Duration = Duration::from_micros(100);

/// Who takes the frames.
pub trait Target {
    /// Publishes frame `index`, with `nanos` as the time of its publication.
    fn publish(&mut self, index: usize, nanos: u64);

    /// How many readers there are.
    fn readers(&self) -> usize;

    /// Bytes handed to sockets so far, and how many there will be once frame `index` has been written
    /// to all; nothing where publishing is writing.
    fn written(&self, index: usize) -> Option<(u64, u64)>;
}

struct Mark {
    frame: usize,
    cpu: u64,
    at: Instant,
}

/// Runs until the parent is gone. An order is obeyed just before a frame is due, so that between two
/// marks lies the whole work of a whole number of frames.
pub fn run(frames: usize, target: &mut impl Target, orders: &Receiver<String>) {
    // 50 µs of slack would blur what is measured here; for server and floor alike.
    set_current_timer_slack(NonZeroU64::new(1)).expect("a thread may set its own slack");
    assert_eq!(orders.recv().as_deref(), Ok("start"));
    answer(json!({}));
    let start = Instant::now();
    let mut mark = Mark::now(0);
    let mut watched: Option<Vec<f64>> = None;
    for frame in 0..frames {
        sleep_until(due(start, frame));
        match orders.try_recv().as_deref() {
            Ok("begin") => {
                mark = Mark::now(frame);
                answer(json!({}));
            }
            Ok("end") => answer(mark.end(frame, target.readers())),
            Ok("watch") => {
                watched = Some(Vec::new());
                answer(json!({}));
            }
            Ok("watched") => answer(json!(watched.take())),
            Ok("stop") => {
                answer(json!({}));
                wait(orders);
            }
            Ok(order) => panic!("nobody knows the order {order}"),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
        let before = target.written(frame);
        let published = Instant::now();
        target.publish(frame, now_nanos());
        if let (Some(times), Some((_, goal))) = (&mut watched, before) {
            let next = due(start, frame + 1);
            times.extend(watch(target, frame, goal, next).map(|done| millis(done - published)));
        }
    }
    panic!("the stream was made too short for this run");
}

fn due(start: Instant, frame: usize) -> Instant {
    start + Duration::from_secs(frame as u64) / FRAMES_PER_SECOND as u32
}

fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// When all that was published has been handed to sockets; nothing where that is not before `next`.
/// Only sleeping looks are possible: this thread shares its core with the one that it watches.
fn watch(target: &impl Target, frame: usize, goal: u64, next: Instant) -> Option<Instant> {
    loop {
        let now = Instant::now();
        if target.written(frame)?.0 >= goal {
            return Some(now);
        }
        if now >= next {
            return None;
        }
        std::thread::sleep(WATCH_EVERY);
    }
}

/// The parent looks at what has arrived; sockets must stay open meanwhile.
fn wait(orders: &Receiver<String>) -> ! {
    while orders.recv().is_ok() {}
    std::process::exit(0);
}

impl Mark {
    fn now(frame: usize) -> Self {
        Self {
            frame,
            cpu: cpu_nanos(),
            at: Instant::now(),
        }
    }

    fn end(&self, frame: usize, readers: usize) -> Value {
        json!({
            "cpu_nanos": cpu_nanos() - self.cpu,
            "wall_nanos": self.at.elapsed().as_nanos() as u64,
            "fragments": frame - self.frame,
            "readers": readers,
        })
    }
}
