//! One H5Live client as a state machine: no socket, no clock. Pure.
//!
//! ```text
//!            onPlay               onUpdateSource: granted
//!  Paused ◀────────▶ Playing ─────────▶ Playing (another stream, or the same renewed)
//!            onPause    │
//!                       ▼ client closes, breaks the protocol, is silent; the server stops;
//!                    Closing   its lease has ended
//! ```

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::messages::{self, Ask, Echo, Update};
use crate::http::admit::{Admission, Refusal, ViewerRequest};
use crate::http::leases::{Lease, Mark};
use crate::http::places::Place;
use crate::hub::fanout::{Session as FanoutSession, Standing};
use crate::hub::topic::{Cursor, Topic};
use crate::hub::websocket::{self, Message, Opcode, Reader};
use crate::hub::{Hub, Subscription};
use crate::token::Facts;

/// Messages, or fragments of them, that a client may send at once, and how many more each second.
const MESSAGE_BURST: u32 = 64;
const MESSAGES_PER_SECOND: u32 = 16;

/// How often a client is pinged; one that has not said anything after two is gone.
const PING_EVERY: Duration = Duration::from_secs(20);

/// How much media one turn of writing takes.
const TURN: usize = 512 * 1024;

/// A fresh authorisation that a session asks for.
#[derive(Clone, Debug)]
pub struct Reauthorise {
    /// What the client wants.
    pub request: ViewerRequest,
    /// Its connection's facts.
    pub facts: Facts,
    id: u64,
}

/// The answer to a [`Reauthorise`].
#[derive(Debug)]
pub struct Verdict {
    id: u64,
    outcome: Result<Admission, Refusal>,
    since: Mark,
}

impl Reauthorise {
    /// Answers it; `since` is a moment before the outcome was looked for.
    pub fn verdict(&self, outcome: Result<Admission, Refusal>, since: Mark) -> Verdict {
        Verdict {
            id: self.id,
            outcome,
            since,
        }
    }
}

/// A viewer that was let in.
pub struct Viewer {
    /// What to.
    pub admission: Admission,
    /// Its connection's facts.
    pub facts: Facts,
    /// Its permission to go on.
    pub lease: Lease,
    /// Its place among all.
    pub place: Place,
    /// Nothing is sent before its `onPlay`.
    pub paused: bool,
    /// It is sent no media.
    pub metadata_only: bool,
}

/// What all sessions have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What players are told that they are connected to.
    pub hostname: String,
    /// The most bytes of one message from a client.
    pub message_bytes: usize,
}

/// One client that was let in. What is rarely looked at is boxed: for each fragment the fan-out walks
/// over all sessions, and waits for memory more than for anything else of its own.
pub struct Session {
    hub: Arc<Hub>,
    facts: Facts,
    admission: Box<Admission>,
    lease: Lease,
    _place: Place,
    playing: Option<Subscription>,
    reader: Reader,
    /// Messages of its own that go out before any more media.
    own: Vec<Bytes>,
    pong: Option<Vec<u8>>,
    asked: Option<Box<Reauthorise>>,
    awaited: Option<Box<(u64, Echo)>>,
    requests: u64,
    allowance: u32,
    allowed_at: Instant,
    heard_at: Instant,
    ping_at: Instant,
    closing: bool,
    metadata_only: bool,
}

impl Session {
    /// A session for a viewer that was let in.
    pub fn new(hub: &Arc<Hub>, viewer: Viewer, settings: &Settings, now: Instant) -> Self {
        let greeting = messages::server_info(&settings.hostname);
        let mut session = Self {
            hub: Arc::clone(hub),
            facts: viewer.facts,
            admission: Box::new(viewer.admission),
            lease: viewer.lease,
            _place: viewer.place,
            playing: None,
            reader: Reader::new(settings.message_bytes),
            own: vec![websocket::frame(Opcode::Text, greeting.as_bytes())],
            pong: None,
            asked: None,
            awaited: None,
            requests: 0,
            allowance: MESSAGE_BURST,
            allowed_at: now,
            heard_at: now,
            ping_at: now + PING_EVERY,
            closing: false,
            metadata_only: viewer.metadata_only,
        };
        if !viewer.paused {
            session.play();
        }
        session
    }

    fn play(&mut self) {
        let Admission { grant, source, .. } = &*self.admission;
        let subscribed = match self.metadata_only {
            true => self.hub.subscribe_to_metadata(grant, &source.origin),
            false => self.hub.subscribe(grant, &source.origin),
        };
        match subscribed {
            Ok(subscription) => self.playing = Some(subscription),
            Err(_) => self.close(Refusal::Full.close_code(), Refusal::Full.reason()),
        }
    }

    fn say(&mut self, text: &str) {
        self.own
            .push(websocket::frame(Opcode::Text, text.as_bytes()));
    }

    fn close(&mut self, code: u16, reason: &str) {
        if !self.closing {
            self.own.push(websocket::close_frame(code, reason));
            self.closing = true;
            self.playing = None;
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Text(text) => match messages::read(&text) {
                Ok(Ask::Play) if self.playing.is_none() => self.play(),
                Ok(Ask::Pause) => self.playing = None,
                Ok(Ask::UpdateSource(update)) => self.update(*update),
                Ok(Ask::Play | Ask::Unknown) => {}
                Err(error) => {
                    tracing::debug!(%error, "a client's message can't be read");
                    self.close(4400, "The message is no event of this interface.");
                }
            },
            // Only the last of several needs an answer (RFC 6455, 5.5.3), so a flood costs nothing.
            Message::Ping(payload) => self.pong = Some(payload),
            Message::Pong | Message::Part => {}
            Message::Close => self.close(1000, ""),
        }
    }

    fn update(&mut self, update: Update) {
        if let Some(awaited) = self.awaited.take() {
            self.asked = None;
            self.say(&awaited.1.abort("superseded"));
        }
        let door = self.admission.door;
        match ViewerRequest::update(door, &update.stream, update.url, update.parameters) {
            Ok(request) => {
                self.requests += 1;
                self.awaited = Some(Box::new((self.requests, update.echo)));
                self.asked = Some(Box::new(Reauthorise {
                    request,
                    facts: self.facts.clone(),
                    id: self.requests,
                }));
            }
            Err(refusal) => {
                self.say(&update.echo.error(refusal.close_code(), refusal.reason()));
            }
        }
    }

    fn switch(&mut self, admission: Admission) {
        let same = self.admission.source == admission.source;
        *self.admission = admission;
        if !same {
            self.playing = None;
        }
        if self.playing.is_none() {
            self.play();
        }
    }

    /// Takes one from the client's allowance of messages.
    fn spend(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.allowed_at).as_secs();
        if let Ok(seconds @ 1..) = u32::try_from(seconds) {
            let earned = seconds.saturating_mul(MESSAGES_PER_SECOND);
            self.allowance = self.allowance.saturating_add(earned).min(MESSAGE_BURST);
            self.allowed_at = now;
        }
        let left = self.allowance.checked_sub(1);
        self.allowance = left.unwrap_or_default();
        left.is_some()
    }
}

impl FanoutSession for Session {
    type Request = Reauthorise;
    type Reply = Verdict;

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if self.closing {
            return;
        }
        self.heard_at = now;
        let mut reader = std::mem::replace(&mut self.reader, Reader::new(0));
        let read = reader.read(bytes, |message| {
            if self.spend(now) {
                self.hear(message);
            } else {
                self.close(1008, "Too many messages.");
            }
            !self.closing
        });
        self.reader = reader;
        if let Err(violation) = read {
            self.close(violation.close_code(), &violation.to_string());
        }
    }

    fn reply(&mut self, _: Instant, verdict: Verdict) {
        if self.closing {
            return;
        }
        let Some(awaited) = self.awaited.take_if(|awaited| awaited.0 == verdict.id) else {
            return;
        };
        let (_, echo) = *awaited;
        let outcome = verdict.outcome.and_then(|admission| {
            let grant = (&admission.grant, admission.token);
            self.lease.renew(verdict.since, grant)?;
            Ok(admission)
        });
        match outcome {
            Ok(admission) => {
                self.say(&echo.success());
                self.switch(admission);
            }
            Err(refusal) => {
                self.say(&echo.error(refusal.close_code(), refusal.reason()));
            }
        }
    }

    fn request(&mut self) -> Option<Reauthorise> {
        self.asked.take().map(|asked| *asked)
    }

    fn output(&mut self, _: Instant, out: &mut Vec<Bytes>) -> bool {
        if let Some(payload) = self.pong.take()
            && !self.closing
        {
            out.push(websocket::frame(Opcode::Pong, &payload));
        }
        out.append(&mut self.own);
        match &mut self.playing {
            // What is published after a withdrawal is not for it; the review says goodbye.
            Some(_) if self.lease.end().is_some() => false,
            Some(subscription) => subscription.next(TURN, out),
            None => false,
        }
    }

    fn cursor(&self) -> Option<Cursor> {
        let has_own = self.pong.is_some() || !self.own.is_empty();
        let playing = self.playing.as_ref().filter(|_| !has_own)?;
        // As in `output`: what is published after a withdrawal is not for it.
        playing.cursor().filter(|_| self.lease.end().is_none())
    }

    fn pass(&mut self, next: Cursor) {
        if let Some(playing) = &mut self.playing {
            playing.pass(next);
        }
    }

    fn topic(&self) -> Option<&Arc<Topic>> {
        self.playing.as_ref().map(Subscription::topic)
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.closing).then_some(self.ping_at)
    }

    fn timeout(&mut self, now: Instant) {
        if now < self.ping_at {
            return;
        }
        if now.saturating_duration_since(self.heard_at) > 2 * PING_EVERY {
            self.close(1001, "The client has not answered a ping.");
            return;
        }
        self.own.push(websocket::frame(Opcode::Ping, &[]));
        self.ping_at = now + PING_EVERY;
    }

    fn review(&mut self, _: Instant) -> bool {
        let Some(end) = self.lease.end() else {
            return false;
        };
        let ended = Refusal::Ended(end);
        self.close(ended.close_code(), ended.reason());
        true
    }

    fn stop(&mut self, _: Instant) {
        self.close(4503, "The server is shutting down; connect again.");
    }

    fn stalled(&mut self) {
        self.lease.stalled();
    }

    fn standing(&self, wanted: &HashSet<u64>) -> Option<Standing> {
        let id = self.lease.id();
        wanted.contains(&id).then(|| Standing {
            id,
            behind: self.playing.as_ref().map_or(0, Subscription::behind),
            skips: self.playing.as_ref().map_or(0, Subscription::skips),
        })
    }

    fn finished(&self) -> bool {
        self.closing && self.own.is_empty()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let skips = self.playing.as_ref().map_or(0, Subscription::skips);
        self.lease.skipped(skips);
    }
}
