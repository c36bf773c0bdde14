//! Moves bytes between sessions and sockets, and knows no protocol.
//!
//! A few threads own all sockets. A publisher rings a topic; each thread that has sessions on it
//! wakes once and writes to all of them in turn, many in one system call where io_uring is at hand: no
//! task is woken per client, and what is written are the shared bytes of the hub. A socket that would block is left
//! until it can take more; meanwhile its session falls behind in the hub's ring, which costs no memory of its own.

#[cfg(target_os = "linux")]
mod batch;
#[cfg(not(target_os = "linux"))]
#[path = "unbatched.rs"]
mod batch;
mod connection;
mod engine;
mod inbox;
#[cfg(target_os = "linux")]
mod pages;
#[cfg(not(target_os = "linux"))]
#[path = "no_pages.rs"]
mod pages;
mod room;
mod seat;
mod session;
mod socket;
mod step;

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub use inbox::ReplyTo;
pub use session::{Session, Standing};
pub use socket::Socket;

use batch::Batch;
use engine::Engine;
use inbox::{Command, Shared};

/// How bytes get into many sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Means {
    /// By io_uring where the kernel has it and permits it.
    #[default]
    Auto,
    /// A system call for each of them.
    Epoll,
    /// By io_uring, or not at all.
    IoUring,
}

/// Bounds of the fan-out.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How it writes.
    pub means: Means,
    /// Whether large pieces are handed to sockets as pages, where the kernel does that. Only for programs that ignore
    /// SIGPIPE.
    pub pages: bool,
    /// Threads that write; 0 stands for one a core.
    pub threads: usize,
    /// How long a socket may take nothing while there is something to send, before it is closed.
    pub stall: Duration,
    /// How long a client may take to close its side after we have closed ours.
    pub closing: Duration,
    /// How long the last message of a session that was ended ([`Fanout::review`]) may wait for room in
    /// its socket, before that is closed without it.
    pub ending: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            means: Means::Auto,
            pages: false,
            threads: 0,
            stall: Duration::from_secs(10),
            closing: Duration::from_secs(2),
            ending: Duration::from_millis(500),
        }
    }
}

/// What has happened so far; every field only grows, `sessions` apart.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sessions at this moment.
    pub sessions: AtomicUsize,
    /// Sessions that were ever added.
    pub added: AtomicU64,
    /// Sessions closed because they stood still for longer than [`Limits::stall`].
    pub stalled: AtomicU64,
    /// Bytes handed to sockets, give or take what TLS adds.
    pub bytes: AtomicU64,
}

/// Answers a session's request, on whatever thread or runtime it likes, through the [`ReplyTo`].
pub type Serve<S> = dyn Fn(ReplyTo<S>, <S as Session>::Request) + Send + Sync;

/// The threads. Dropping it waits for them: no longer than a [`Fanout::stop`] before it has promised to
/// sessions, and not at all without one.
pub struct Fanout<S: Session> {
    threads: Vec<Thread<S>>,
    counters: Arc<Counters>,
}

struct Thread<S: Session> {
    shared: Arc<Shared<S>>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl<S: Session> Fanout<S> {
    /// Starts the threads. Fails where the system grants no thread or no poller, or no io_uring where
    /// that is asked for.
    pub fn start(limits: &Limits, serve: Arc<Serve<S>>) -> io::Result<Self> {
        if limits.means == Means::IoUring {
            Batch::new()?;
        }
        let count = match limits.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let counters = Arc::<Counters>::default();
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let engine = Engine::new(limits.clone(), Arc::clone(&serve), Arc::clone(&counters))?;
            let shared = engine.shared();
            let handle = std::thread::Builder::new()
                .name(format!("h5live-fanout-{index}"))
                .spawn(move || engine.run())?;
            threads.push(Thread {
                shared,
                handle: Mutex::new(Some(handle)),
            });
        }
        Ok(Self { threads, counters })
    }

    /// Hands a socket over, to the thread that has the fewest. `read` is what its client has sent already.
    pub fn add(&self, socket: Socket, session: S, read: Bytes) {
        let taken = |thread: &&Thread<S>| thread.shared.seats.taken();
        if let Some(Thread { shared, .. }) = self.threads.iter().min_by_key(taken) {
            let seat = shared.seats.take();
            shared.command(Command::Add(Box::new((socket, session, read, seat))));
        }
    }

    /// Lets every session see whether it was ended from outside.
    pub fn review(&self) {
        for thread in &self.threads {
            thread.shared.command(Command::Review);
        }
    }

    /// Asks how these sessions stand. Each thread answers once, between two turns of writing; the
    /// channel ends with the last of them.
    pub fn survey(&self, wanted: HashSet<u64>) -> mpsc::Receiver<Vec<Standing>> {
        let (answer, answers) = mpsc::channel(self.threads.len().max(1));
        let wanted = Arc::new(wanted);
        for thread in &self.threads {
            let survey = Command::Survey(Arc::clone(&wanted), answer.clone());
            thread.shared.command(survey);
        }
        answers
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Lets every session close in its own way; the threads end when all have, or after `patience`.
    /// Sockets that are added from now on are closed. Does not wait, see [`Fanout::join`].
    pub fn stop(&self, patience: Duration) {
        for thread in &self.threads {
            thread.shared.command(Command::Stop(patience));
        }
    }

    /// Waits for the threads to end, which they do after [`Fanout::stop`].
    pub fn join(&self) {
        for thread in &self.threads {
            let handle = thread
                .handle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            // A thread that panicked has nothing left to be waited for.
            let _ = handle.map(JoinHandle::join);
        }
    }
}

impl<S: Session> Drop for Fanout<S> {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
        self.join();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
