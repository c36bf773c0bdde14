//! Pulls what viewers want, while they want it.
//!
//! One thread decides ([`schedule`](super::schedule)); each pull has a thread of its own that may
//! block. They leave notes in an inbox that holds at most one of each kind a source and a pull.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use tokio::sync::oneshot;

use super::pull::{Ending, Order, Pull, Reporter};
use super::schedule::{Action, Pace, PullId, Schedule, Standing};
use super::table::Origins;
use super::watch::Patience;
use crate::hub::{Demand, Hub, Source};

/// How origins are pulled.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When, and how many at once.
    pub pace: Pace,
    /// Without a byte for so long, a pull begins anew.
    pub silence: Duration,
    /// Without a fragment for so long, a pull begins anew; longer than keyframes are apart.
    pub unplayable: Duration,
    /// How long [`Supervisor::shutdown`] waits for pulls to leave.
    pub goodbye: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            silence: Duration::from_secs(5),
            unplayable: Duration::from_secs(30),
            // More than a source may take to give up.
            goodbye: Duration::from_secs(4),
        }
    }
}

/// Why nothing can be pulled.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// GStreamer's words.
    #[error("GStreamer can't be used ({0}); is it installed?")]
    GStreamer(#[from] gst::glib::Error),
    /// The system's words.
    #[error("can't start the thread that pulls from the origins ({0})")]
    Thread(#[from] io::Error),
}

/// The hub's demand, met. Dropping it stops all pulls and does not wait.
pub struct Supervisor {
    inbox: Arc<Inbox>,
    goodbye: Duration,
}

#[derive(Default)]
struct Inbox {
    notes: Mutex<Notes>,
    news: Condvar,
    left: Condvar,
    counters: Counters,
}

/// What has happened so far; every field only grows, `pulls` apart.
#[derive(Debug, Default)]
pub struct Counters {
    /// Pulls at this moment.
    pub pulls: AtomicUsize,
    /// Pulls that were ever started.
    pub started: AtomicU64,
    /// Pulls that ended because their origin failed or fell silent, and those that could not start.
    pub failed: AtomicU64,
}

#[derive(Default)]
struct Notes {
    changed: HashSet<Source>,
    ended: Vec<(PullId, bool)>,
    gone: usize,
    asked: Vec<Question>,
    shutdown: bool,
    left: bool,
}

/// Somebody wants to know how sources stand.
struct Question {
    sources: Vec<Source>,
    answer: oneshot::Sender<HashMap<Source, Standing>>,
}

struct Worker {
    origins: Origins,
    // Not an `Arc`: the hub holds the supervisor as its demand.
    hub: Weak<Hub>,
    settings: Settings,
    inbox: Arc<Inbox>,
    schedule: Schedule<Source>,
    pulls: HashMap<PullId, Pull>,
}

struct Report {
    id: PullId,
    source: Source,
    inbox: Arc<Inbox>,
}

impl Supervisor {
    /// Starts it. Give it to [`Hub::set_demand`].
    pub fn new(
        origins: Origins,
        hub: &Arc<Hub>,
        settings: Settings,
    ) -> Result<Arc<Self>, StartError> {
        gst::init()?;
        let inbox = Arc::<Inbox>::default();
        let goodbye = settings.goodbye;
        let mut worker = Worker {
            origins,
            hub: Arc::downgrade(hub),
            schedule: Schedule::new(settings.pace.clone()),
            settings,
            inbox: Arc::clone(&inbox),
            pulls: HashMap::new(),
        };
        thread::Builder::new()
            .name("h5live-origins".to_owned())
            .spawn(move || worker.run())?;
        Ok(Arc::new(Self { inbox, goodbye }))
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.inbox.counters
    }

    /// How these sources stand. Nothing is answered after [`Supervisor::shutdown`].
    pub fn survey(&self, sources: Vec<Source>) -> oneshot::Receiver<HashMap<Source, Standing>> {
        let (answer, answered) = oneshot::channel();
        self.inbox
            .tell(|notes| notes.asked.push(Question { sources, answer }));
        answered
    }

    /// Stops all pulls and waits until they have left, for [`Settings::goodbye`] at most. Nothing is
    /// pulled afterwards.
    pub fn shutdown(&self) {
        self.inbox.tell(|notes| notes.shutdown = true);
        let notes = self.inbox.lock();
        // The worker keeps to the bound; a little more covers its own way out.
        let bound = self.goodbye + Duration::from_millis(500);
        let waited = self
            .inbox
            .left
            .wait_timeout_while(notes, bound, |notes| !notes.left);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.inbox.tell(|notes| notes.shutdown = true);
    }
}

impl Demand for Supervisor {
    fn viewers_changed(&self, source: &Source, _wanted: bool) {
        self.inbox.tell(|notes| {
            notes.changed.insert(source.clone());
        });
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, note: impl FnOnce(&mut Notes)) {
        note(&mut self.lock());
        self.news.notify_one();
    }

    /// Waits for news until a deadline, and takes them.
    fn take(&self, deadline: Option<Instant>) -> Notes {
        let quiet = |notes: &mut Notes| {
            let news = !notes.changed.is_empty()
                || !notes.ended.is_empty()
                || notes.gone > 0
                || !notes.asked.is_empty();
            !news && !notes.shutdown
        };
        let notes = self.lock();
        let mut notes = match deadline {
            None => (self.news.wait_while(notes, quiet)).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let waited = self.news.wait_timeout_while(notes, left, quiet);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let shutdown = notes.shutdown;
        let taken = std::mem::take(&mut *notes);
        notes.shutdown = shutdown;
        taken
    }
}

impl Worker {
    fn run(&mut self) {
        loop {
            let deadline = self.schedule.deadline(Instant::now());
            let notes = self.inbox.take(deadline);
            let shutdown = notes.shutdown;
            self.read(notes);
            if shutdown {
                return self.leave();
            }
            for action in self.schedule.due(Instant::now()) {
                match action {
                    Action::Start(id, source) => self.start(id, source),
                    Action::Stop(id) => drop(self.pulls.remove(&id)),
                }
            }
            let pulls = &self.inbox.counters.pulls;
            pulls.store(self.pulls.len(), Ordering::Relaxed);
        }
    }

    fn read(&mut self, notes: Notes) {
        let now = Instant::now();
        for source in notes.changed {
            let viewers = self.hub.upgrade().map_or(0, |hub| hub.viewers(&source));
            self.schedule.want(&source, viewers > 0, now);
        }
        for (id, played) in notes.ended {
            self.pulls.remove(&id);
            self.schedule.ended(id, played, random(), now);
        }
        for _ in 0..notes.gone {
            self.schedule.gone();
        }
        for Question { sources, answer } in notes.asked {
            let standing = |source: Source| Some((self.schedule.standing(&source, now)?, source));
            let standings = sources.into_iter().filter_map(standing);
            // Whoever asked may not wait any more.
            let _ = answer.send(
                standings
                    .map(|(standing, source)| (source, standing))
                    .collect(),
            );
        }
    }

    fn start(&mut self, id: PullId, source: Source) {
        match self.pull(id, &source) {
            Ok(pull) => {
                tracing::info!(%source, "pulling");
                let started = &self.inbox.counters.started;
                started.fetch_add(1, Ordering::Relaxed);
                self.pulls.insert(id, pull);
            }
            Err(reason) => {
                tracing::error!(%source, reason, "can't pull");
                let failed = &self.inbox.counters.failed;
                failed.fetch_add(1, Ordering::Relaxed);
                self.schedule.ended(id, false, random(), Instant::now());
                self.schedule.gone();
            }
        }
    }

    fn pull(&self, id: PullId, source: &Source) -> Result<Pull, String> {
        let origin = self.origins.get(&source.origin).ok_or("no such origin")?;
        let hub = self.hub.upgrade().ok_or("the hub has gone")?;
        let publisher = hub.publish(source).map_err(|error| error.to_string())?;
        let report = Report {
            id,
            source: source.clone(),
            inbox: Arc::clone(&self.inbox),
        };
        let order = Order {
            element: origin.element(),
            location: origin.location(&source.stream),
            timeout: origin.timeout(),
            patience: Patience {
                silence: self.settings.silence,
                unplayable: self.settings.unplayable,
            },
            publisher,
        };
        Pull::start(order, report).map_err(|error| error.to_string())
    }

    fn leave(&mut self) {
        let until = Instant::now() + self.settings.goodbye;
        self.pulls.clear();
        while self.schedule.places() > 0 && Instant::now() < until {
            let mut notes = self.inbox.lock();
            let gone = std::mem::take(&mut notes.gone);
            if gone == 0 {
                let left = until.saturating_duration_since(Instant::now());
                let waited = self.inbox.news.wait_timeout(notes, left);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            drop(notes);
            for _ in 0..gone {
                self.schedule.gone();
            }
        }
        if self.schedule.places() > 0 {
            let pulls = self.schedule.places();
            tracing::warn!(pulls, "some pulls do not end in time and are left behind");
        }
        self.inbox.lock().left = true;
        self.inbox.left.notify_all();
    }
}

impl Reporter for Report {
    fn ended(&self, ending: &Ending, played: bool) {
        let source = &self.source;
        if matches!(ending, Ending::Silence(_) | Ending::Failed(_)) {
            let failed = &self.inbox.counters.failed;
            failed.fetch_add(1, Ordering::Relaxed);
        }
        match ending {
            Ending::Stopped => tracing::info!(%source, "not pulled any more"),
            Ending::Over => tracing::info!(%source, "the origin says that the stream is over"),
            Ending::Replaced => tracing::info!(%source, "another publisher has taken over"),
            Ending::Silence(silence) => tracing::warn!(%source, ?silence, "the origin is silent"),
            Ending::Failed(reason) => tracing::warn!(%source, reason, "the origin fails"),
        }
        self.inbox.tell(|notes| notes.ended.push((self.id, played)));
    }

    fn gone(&self) {
        self.inbox.tell(|notes| notes.gone += 1);
    }
}

/// Between 0 and 1, to spread attempts; nothing secret hangs on it.
fn random() -> f64 {
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}
