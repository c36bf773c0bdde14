//! Publishes streams in real time, to the server or to the floor alike, and answers the parent.
//!
//! Several streams are spread over a second by their keyframes, and over a frame's time by their frames, as
//! streams that know nothing of each other are.

use std::num::NonZeroU64;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;
use serde_json::{Value, json};

use super::child::answer;
use super::media::FRAMES_PER_SECOND;
use super::support::machine::{
    cpu_nanos,
    processes::{now_nanos, thread_cpu_nanos},
};

/// How often it is looked whether a fragment has been written to everybody.
const WATCH_EVERY: Duration = Duration::from_micros(100);

/// Who takes the frames.
pub trait Target {
    /// How many streams there are, and how many frames each has.
    fn size(&self) -> (usize, usize);

    /// Publishes a frame, with `nanos` as the time at which it is due.
    fn publish(&mut self, due: &Due, nanos: u64);

    /// How its readers fare.
    fn state(&self) -> State;

    /// Bytes handed to sockets so far, and how many there will be once frame `frame` of the only stream has been
    /// written to all; nothing where publishing is writing.
    fn written(&self, frame: usize) -> Option<(u64, u64)>;
}

/// How readers fare.
#[derive(Clone, Copy, Default)]
pub struct State {
    /// How many there are.
    pub readers: usize,
    /// How often one was so far behind that it went on at a later keyframe.
    pub skips: u64,
    /// How many were closed because they took nothing.
    pub stalled: u64,
}

/// A frame, and when it goes out.
pub struct Due {
    pub stream: usize,
    pub frame: usize,
    after: Duration,
}

struct Mark {
    step: usize,
    skips: u64,
    /// Without what [`Pacer`] took.
    cpu: u64,
    at: Instant,
}

/// Waits for frames to be due. It counts the CPU time that this takes, which is nobody's whom we measure: a sleep
/// of its own for each frame, 20 to 30 µs on a virtual machine, where a real publisher is woken by what comes in.
#[derive(Default)]
struct Pacer {
    cpu: u64,
}

/// Runs until the parent is gone. An order is obeyed just before a frame is due, so that between two
/// marks lies the whole work of a whole number of frames.
pub fn run(target: &mut impl Target, orders: &Receiver<String>) {
    // 50 µs of slack would blur what is measured here; for server and floor alike.
    set_current_timer_slack(NonZeroU64::new(1)).expect("a thread may set its own slack");
    let (streams, frames) = target.size();
    let schedule = schedule(streams, frames);
    assert_eq!(orders.recv().as_deref(), Ok("start"));
    answer(json!({}));
    let (start, start_nanos) = (Instant::now(), now_nanos());
    let mut pacer = Pacer::default();
    let mut mark = Mark::now(0, target.state(), &pacer);
    let mut watched: Option<Vec<f64>> = None;
    for (step, due) in schedule.iter().enumerate() {
        pacer.sleep_until(start + due.after);
        match orders.try_recv().as_deref() {
            Ok("begin") => {
                mark = Mark::now(step, target.state(), &pacer);
                answer(json!({}));
            }
            Ok("end") => answer(mark.end(step, target.state(), &pacer)),
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
        let before = target.written(due.frame);
        let published = Instant::now();
        // When it is due, and not when this thread gets the core: a server that keeps its own publisher waiting
        // is not to look fast.
        target.publish(due, start_nanos + due.after.as_nanos() as u64);
        if let (Some(times), Some((_, goal))) = (&mut watched, before) {
            let next = start + due.after + Duration::from_secs(1) / FRAMES_PER_SECOND as u32;
            let done = watch(target, due.frame, goal, next);
            times.extend(done.map(|done| millis(done - published)));
        }
    }
    panic!("the stream was made too short for this run");
}

/// All frames of all streams, in the order in which they go out.
fn schedule(streams: usize, frames: usize) -> Vec<Due> {
    let second = Duration::from_secs(1);
    let frame_time = second / FRAMES_PER_SECOND as u32;
    let apart = (second + frame_time) / streams as u32;
    let of_stream = |stream: usize| {
        (0..frames).map(move |frame| Due {
            stream,
            frame,
            after: apart * stream as u32 + second * frame as u32 / FRAMES_PER_SECOND as u32,
        })
    };
    let mut all: Vec<Due> = (0..streams).flat_map(of_stream).collect();
    all.sort_by_key(|due| due.after);
    all
}

impl Pacer {
    fn sleep_until(&mut self, then: Instant) {
        let before = thread_cpu_nanos();
        std::thread::sleep(then.saturating_duration_since(Instant::now()));
        self.cpu += thread_cpu_nanos() - before;
    }

    /// CPU time of the process besides.
    fn cpu_of_others(&self) -> u64 {
        cpu_nanos() - self.cpu
    }
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
    fn now(step: usize, state: State, pacer: &Pacer) -> Self {
        Self {
            step,
            skips: state.skips,
            cpu: pacer.cpu_of_others(),
            at: Instant::now(),
        }
    }

    fn end(&self, step: usize, state: State, pacer: &Pacer) -> Value {
        json!({
            "cpu_nanos": pacer.cpu_of_others() - self.cpu,
            "wall_nanos": self.at.elapsed().as_nanos() as u64,
            "fragments": step - self.step,
            "readers": state.readers,
            "skips": state.skips - self.skips,
            "stalled": state.stalled,
        })
    }
}
