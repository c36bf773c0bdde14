//! What all doors of a process share, and which path leads where.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};

use super::admit::{Door, Gate, Refusal};
use super::audience;
use super::body::{Body, text};
use super::client_address::{Trusted, client_address};
use super::denials::{self, Denials};
use super::facts;
use super::fetch;
use super::framing;
use super::h5live::door;
use super::h5live::session::{self, Session};
use super::hls::{self, Approvals, Sessions};
use super::leases::{Leases, OnExpiry, SessionLimits};
use super::pages;
use super::places::Places;
use super::progressive::{self, Downloads};
use super::traffic::Traffic;
use super::verify;
use super::way::Way;
use crate::hub::Hub;
use crate::hub::fanout::{Fanout, Limits as FanoutLimits};
use crate::token::{Facts, StreamName, UnixSeconds, Withdrawal};

/// The most bytes of a request body that are read, and how long that may take.
const BODY_LIMIT: usize = 16 * 1024;
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// A request to the API, its body read. A body past the limit comes with one byte more than that, so
/// that the API can answer in its own form.
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The path as it was sent.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whom it comes from.
    pub client: IpAddr,
}

/// The API's answer.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// What answers below `/secure/`.
pub trait Api: Send + Sync {
    /// Answers a request.
    fn answer(&self, request: ApiRequest) -> Answer<'_>;
}

/// Bounds and habits of the doors.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Viewers at once.
    pub viewers: usize,
    /// Bytes of one WebSocket message from a client.
    pub message_bytes: usize,
    /// Bounds of who writes to them.
    pub fanout: FanoutLimits,
    /// What happens to viewers whose grant expires while they play.
    pub on_expiry: OnExpiry,
    /// Sessions at once by one token and by one tag.
    pub sessions: SessionLimits,
    /// Whether they play by HLS too.
    pub hls: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            viewers: 10_000,
            message_bytes: 16 * 1024,
            fanout: FanoutLimits::default(),
            on_expiry: OnExpiry::default(),
            sessions: SessionLimits::default(),
            hls: true,
        }
    }
}

/// How often it is looked who has left.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);

/// Ends the HLS sessions whose players have left, for as long as there are doors.
async fn expire(app: Weak<App>) {
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        match app.upgrade() {
            Some(app) => app.hls.expire(Instant::now()),
            None => return,
        }
    }
}

/// Who makes way for others is told one moment after the one before at the earliest, since each time all
/// sessions are looked at.
const REPLACE_EVERY: Duration = Duration::from_millis(50);

/// Tells the sessions that were replaced, for as long as there are doors.
async fn tell_replaced(app: Weak<App>, leases: Arc<Leases>) {
    loop {
        leases.replaced().await;
        match app.upgrade() {
            Some(app) => app.review(),
            None => return,
        }
        tokio::time::sleep(REPLACE_EVERY).await;
    }
}

/// How often it is looked whose grant is over: well below the second in which that is to happen.
const LOOK_AT_EXPIRIES_EVERY: Duration = Duration::from_millis(200);

/// Ends the sessions whose grants are over, for as long as there are doors. By the wall clock, step by
/// step, since that may be set while they play.
async fn close_expired(app: Weak<App>) {
    loop {
        tokio::time::sleep(LOOK_AT_EXPIRIES_EVERY).await;
        match app.upgrade() {
            Some(app) => app.end_expired(),
            None => return,
        }
    }
}

/// What all doors of a process share.
pub struct App {
    /// The streams.
    pub hub: Arc<Hub>,
    /// Who is let in.
    pub gate: Arc<Gate>,
    /// Who writes to them.
    pub fanout: Fanout<Session>,
    /// The API, where this process has one.
    pub api: Option<Arc<dyn Api>>,
    /// The proxies that may tell a client's address.
    pub trusted: Arc<dyn Trusted>,
    /// Who plays, and by which grant.
    pub leases: Arc<Leases>,
    /// How many more may come.
    pub places: Places,
    /// What all sessions have in common.
    pub sessions: session::Settings,
    /// Who plays by HLS, where that is wanted.
    pub hls: Sessions,
    hls_wanted: bool,
    /// Who may begin to without naming a page.
    pub approvals: Approvals,
    /// What was taken and answered.
    pub traffic: Arc<Traffic>,
    /// Who was not let in lately.
    pub denials: Arc<Denials>,
    /// Who plays by one response that lasts.
    pub downloads: Downloads,
    /// What a web server in front says of its clients' requests.
    pub verify: verify::Headers,
}

impl App {
    /// Starts the fan-out. Must be called within a tokio runtime, which answers what sessions ask.
    pub fn new(
        hub: Arc<Hub>,
        gate: Gate,
        api: Option<Arc<dyn Api>>,
        trusted: Arc<dyn Trusted>,
        hostname: String,
        verify: verify::Headers,
        limits: &Limits,
    ) -> io::Result<Arc<Self>> {
        let gate = Arc::new(gate);
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let verifier = Arc::clone(&gate);
        let traffic = Arc::<Traffic>::default();
        let counts = Arc::clone(&traffic);
        let denials = Arc::<Denials>::default();
        let denied = Arc::clone(&denials);
        let leases = Leases::new(limits.sessions)
            .on_expiry(limits.on_expiry)
            .heard_by(gate.audience.clone());
        let leases = Arc::new(leases);
        let heard = gate.audience.clone();
        let marks = Arc::clone(&leases);
        let serve = move |reply_to: crate::hub::fanout::ReplyTo<Session>,
                          asked: session::Reauthorise| {
            let gate = Arc::clone(&verifier);
            let (counts, denied) = (Arc::clone(&counts), Arc::clone(&denied));
            let heard = heard.clone();
            let since = marks.mark();
            runtime.spawn(async move {
                let outcome = gate.admit(&asked.request, &asked.facts).await;
                door::log(&asked.request, &asked.facts, outcome.as_ref());
                if let Err(refusal) = &outcome {
                    counts.refused(refusal);
                    let stream = Some(asked.request.stream.clone());
                    audience::tell(&heard, Way::WebSocket, &stream, asked.facts.ip, refusal);
                    denied.note(Way::WebSocket, stream, asked.facts.ip, refusal);
                }
                reply_to.send(asked.verdict(outcome, since));
            });
        };
        let app = Arc::new(Self {
            hub,
            gate,
            fanout: Fanout::start(&limits.fanout, Arc::new(serve))?,
            api,
            trusted,
            leases,
            places: Places::new(limits.viewers),
            sessions: session::Settings {
                hostname,
                message_bytes: limits.message_bytes,
            },
            hls: Sessions::default(),
            hls_wanted: limits.hls,
            approvals: Approvals::default(),
            traffic,
            denials,
            downloads: Downloads::default(),
            verify,
        });
        tokio::spawn(expire(Arc::downgrade(&app)));
        if limits.sessions != SessionLimits::default() {
            let leases = Arc::clone(&app.leases);
            tokio::spawn(tell_replaced(Arc::downgrade(&app), leases));
        }
        if limits.on_expiry == OnExpiry::Close || app.gate.audience.is_some() {
            tokio::spawn(close_expired(Arc::downgrade(&app)));
        }
        Ok(app)
    }

    /// Ends the sessions that a withdrawal is about, on every door; returns how many. What their tokens
    /// were made with must be withdrawn before, or they may come again.
    pub fn withdraw(&self, withdrawal: &Withdrawal) -> usize {
        let ended = self.leases.withdraw(withdrawal);
        if ended > 0 {
            self.review();
        }
        ended
    }

    /// Ends one session, on whatever door; false where there is none of this id.
    pub fn end_session(&self, id: u64) -> bool {
        let ended = self.leases.end_one(id);
        if ended {
            self.review();
        }
        ended
    }

    /// Notes that a viewer was not let in.
    pub fn refused<B>(&self, way: Way, peer: IpAddr, request: &Request<B>, refusal: &Refusal) {
        let stream = denials::stream_of(request.uri().query().unwrap_or_default());
        let client = self.client_address(peer, request.headers());
        self.turned(way, stream, client, refusal);
    }

    /// The same where it is known what was asked for, and who asked.
    pub fn turned(&self, way: Way, stream: Option<StreamName>, client: IpAddr, refusal: &Refusal) {
        self.traffic.refused(refusal);
        audience::tell(&self.gate.audience, way, &stream, client, refusal);
        self.denials.note(way, stream, client, refusal);
    }

    fn end_expired(&self) {
        // As long as the gate would have let it in.
        let UnixSeconds(now) = (self.gate.clock)();
        let ended = self
            .leases
            .expire(UnixSeconds(now.saturating_sub(self.gate.skew)));
        if ended > 0 {
            tracing::info!(sessions = ended, "their tokens have expired");
            self.review();
        }
    }

    /// Lets the doors tell their viewers of leases that have ended.
    fn review(&self) {
        self.fanout.review();
        self.hls.review(Instant::now());
    }

    /// Where a request comes from, as the verifier asks.
    pub fn facts(&self, peer: IpAddr, headers: &HeaderMap) -> Facts {
        Facts {
            ip: self.client_address(peer, headers),
            referer: facts::page(headers),
        }
    }

    /// Whom a request comes from.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        // A value that is not text stands for one that is no address.
        let values = headers
            .get_all("x-forwarded-for")
            .iter()
            .map(|value| value.to_str().unwrap_or("?"));
        client_address(peer, values, &*self.trusted)
    }

    /// Answers a request. Paths are compared as they were sent, never decoded: a door has exactly one
    /// spelling.
    pub async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let mut response = match framing::check(&request) {
            Ok(()) => self.route(peer, request).await,
            Err(what) => {
                let mut response = text(StatusCode::BAD_REQUEST, what);
                // Where this request ends is what there may be two opinions about.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
                response
            }
        };
        response
            .headers_mut()
            .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    async fn route(self: &Arc<Self>, peer: IpAddr, request: Request<Incoming>) -> Response<Body> {
        match request.uri().path() {
            "/h5live/authstream"
            | "/h5live/authstream/"
            | "/h5live/authstream/stream.mp4"
            | "/h5live/authstream.mp4" => door::open(self, Door::Gated, peer, request).await,
            "/h5live/stream"
            | "/h5live/stream/"
            | "/h5live/stream/stream.mp4"
            | "/h5live/stream.mp4" => door::open(self, Door::Open, peer, request).await,
            "/secure/verify" => verify::answer(self, peer, &request).await,
            path if path.starts_with(verify::BELOW) => verify::answer(self, peer, &request).await,
            "/healthz" => fetch::wrong_method(request.method())
                .unwrap_or_else(|| text(StatusCode::OK, "ok\n")),
            path if path.starts_with("/secure/") => self.api(peer, request).await,
            path => match (fetched(path), pages::find(path)) {
                (Some((door, below)), _) => self.fetch(door, below, peer, &request).await,
                (None, Some(page)) => pages::answer(request.method(), page),
                (None, None) => text(StatusCode::NOT_FOUND, "There is nothing at this address.\n"),
            },
        }
    }

    async fn fetch(
        &self,
        door: Door,
        below: &str,
        peer: IpAddr,
        request: &Request<Incoming>,
    ) -> Response<Body> {
        match below {
            "stream.mp4" => progressive::stream(self, door, peer, request).await,
            _ if !self.hls_wanted => text(StatusCode::NOT_FOUND, "There is no HLS here.\n"),
            "playlist.m3u8" => hls::playlist(self, door, peer, request).await,
            below => hls::media(self, door, peer, below, request).await,
        }
    }

    async fn api(&self, peer: IpAddr, request: Request<Incoming>) -> Response<Body> {
        let Some(api) = &self.api else {
            return text(StatusCode::NOT_FOUND, "This process has no API.\n");
        };
        let client = self.client_address(peer, request.headers());
        let (head, body) = request.into_parts();
        let read = Limited::new(body, BODY_LIMIT).collect();
        let body = match tokio::time::timeout(BODY_PATIENCE, read).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Bytes::from(vec![b' '; BODY_LIMIT + 1])
            }
            Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, "The body did not arrive whole.\n"),
            Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "The body took too long.\n"),
        };
        api.answer(ApiRequest {
            method: head.method,
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body,
            client,
        })
        .await
    }
}

/// The door of a path that is fetched, and what stands behind it.
fn fetched(path: &str) -> Option<(Door, &str)> {
    let gated = path.strip_prefix("/h5live/authhttp/");
    let open = path.strip_prefix("/h5live/http/");
    gated
        .map(|below| (Door::Gated, below))
        .or(open.map(|below| (Door::Open, below)))
}
