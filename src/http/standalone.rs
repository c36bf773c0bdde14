//! The doors of an element that is used without the server: one listener an address, shared by all
//! elements of the process, and no API.

mod accepting;
mod keys;
mod players;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;

use super::admit::{Gate, KeySource, OriginChoice};
use super::app::App;
use super::audience::Audience;
use super::leases::{Listed, OnExpiry};
use super::listener::{self, Front, Limits};
use super::networks::Networks;
use super::tls::{self, TlsError, TlsFiles};
use super::workers;
use crate::hub::{self, Hub, OriginName, PublishError, Publisher, Source};
use crate::media::hls;
use crate::token::{Orga, Selection, StreamName, Tag, UnixSeconds, Withdrawal};
use accepting::{Accepting, Closed};
pub use keys::Authority;
use keys::Keys;
pub use players::Players;

/// Threads that answer handshakes; media has threads of its own.
const WORKERS: usize = 2;

/// How long sessions may take to say goodbye when the last element leaves.
const GOODBYE: Duration = Duration::from_millis(500);

/// How long a port may take to be closed; it takes microseconds unless the machine is overloaded.
const CLOSING: Duration = Duration::from_secs(5);

/// Why an element has no doors.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has the port, most likely.
    #[error("can't listen on {address} ({error}); choose another port, or port=0 for a free one")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// The system's words.
        error: io::Error,
    },
    /// A token must not cross a network in clear text unless the user asks for it.
    #[error(
        "{0} is no loopback address and plain HTTP shows tokens to the network; set \
         tls-certificate-file and tls-key-file, or plain-http=true"
    )]
    PlainHttp(SocketAddr),
    /// Elements at one address share one listener.
    #[error(
        "another element listens on {0} with other TLS settings; use the same, or another port"
    )]
    OtherTls(SocketAddr),
    /// The same for all that belongs to the listener.
    #[error(
        "another element listens on {0} with other settings of the listener (max-clients, client-backlog, \
         gop-cache, on-expiry, hls, hls-part-duration, hls-window, trusted-proxies, page-origins); use the same, or another port"
    )]
    OtherOptions(SocketAddr),
    /// The certificate or the key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no threads.
    #[error("can't start the threads that serve viewers ({0})")]
    Threads(io::Error),
}

/// What all streams of one listener have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Certificate and key, where it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Viewers at once.
    pub viewers: usize,
    /// Bytes that a viewer may be behind ([`hub::Limits::lag_bytes`]).
    pub lag_bytes: usize,
    /// Bytes of one stream that are held ([`hub::Limits::ring_bytes`]).
    pub ring_bytes: usize,
    /// What happens to viewers whose token expires while they play.
    pub on_expiry: OnExpiry,
    /// Whether they play by HLS too.
    pub hls: bool,
    /// The longest part of an HLS segment, in milliseconds ([`hls::Settings::part_target`]).
    pub hls_part: u32,
    /// Whole segments that an HLS playlist lists ([`hls::Settings::segments`]).
    pub hls_segments: usize,
    /// The proxies that may tell a client's address.
    pub trusted: Networks,
    /// The `Origin` headers that may open a door, lower case; empty: any, and none.
    pub page_origins: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        let (app, hub) = (super::app::Limits::default(), hub::Limits::default());
        Self {
            tls: None,
            viewers: app.viewers,
            lag_bytes: hub.lag_bytes,
            ring_bytes: hub.ring_bytes,
            on_expiry: app.on_expiry,
            hls: app.hls,
            hls_part: hls::Settings::PART_MILLISECONDS,
            hls_segments: hub.hls.segments,
            trusted: Networks::default(),
            page_origins: Vec::new(),
        }
    }
}

/// A stream, and who may play it.
pub struct Offer {
    /// Its name.
    pub stream: StreamName,
    /// What its tokens are signed with.
    pub authority: Authority,
    /// Whether the open doors open it, without a token.
    pub open: bool,
    /// Who has a word on its viewers, and hears of them.
    pub audience: Option<Arc<dyn Audience>>,
}

/// A listener, for as long as somebody holds it.
pub struct Listener {
    shared: Arc<Shared>,
}

/// A stream that is served; dropping it takes the stream off.
pub struct Served {
    shared: Arc<Shared>,
    publisher: Arc<Publisher>,
}

struct Shared {
    address: SocketAddr,
    options: Options,
    app: Arc<App>,
    keys: Arc<Keys>,
    accepting: tokio::task::AbortHandle,
    closed: Closed,
}

/// Opens the doors at an address, or joins those that are open there. Port 0 takes a free one.
pub fn open(
    address: SocketAddr,
    options: Options,
    plain_http: bool,
) -> Result<Listener, ListenError> {
    if options.tls.is_none() && !plain_http && !address.ip().is_loopback() {
        return Err(ListenError::PlainHttp(address));
    }
    // Held throughout, so that two elements that start at once do not both bind.
    let mut open = open_listeners();
    while let Some(found) = open.get(&address) {
        let Some(shared) = found.upgrade() else {
            // Its last element is leaving on another thread, which takes it off when the port is free.
            open = CLOSED.wait(open).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        // Before `shared` may be dropped, which takes the lock.
        drop(open);
        if shared.options.tls != options.tls {
            return Err(ListenError::OtherTls(address));
        }
        if shared.options != options {
            return Err(ListenError::OtherOptions(address));
        }
        return Ok(Listener { shared });
    }
    let shared = Arc::new(Shared::open(address, options)?);
    open.insert(shared.address, Arc::downgrade(&shared));
    Ok(Listener { shared })
}

impl Shared {
    fn open(address: SocketAddr, options: Options) -> Result<Self, ListenError> {
        let tls = options.tls.as_ref().map(tls::from_files).transpose()?;
        let front = Front {
            tls: tls.map(|tls| tls.config),
            ..Front::default()
        };
        let runtime = runtime().map_err(ListenError::Threads)?;
        let bind = |error| ListenError::Bind { address, error };
        let _within = runtime.enter();
        let socket = listener::bind(address).map_err(bind)?;
        let address = socket.local_addr().map_err(bind)?;
        let keys = Arc::<Keys>::default();
        let gate = Gate {
            keys: Arc::clone(&keys) as Arc<dyn KeySource>,
            origins: Arc::new(This),
            clock: Arc::new(now),
            skew: 0,
            page_origins: options.page_origins.clone(),
            open: RwLock::default(),
            audience: Some(Arc::clone(&keys) as _),
        };
        let hostname = address.to_string();
        let hub = Hub::new(hub::Limits {
            lag_bytes: options.lag_bytes,
            ring_bytes: options.ring_bytes,
            hls: hls::Settings {
                part_target: hls::Settings::part_target(options.hls_part),
                segments: options.hls_segments,
                ..hls::Settings::default()
            },
            ..hub::Limits::default()
        });
        let limits = super::app::Limits {
            viewers: options.viewers,
            on_expiry: options.on_expiry,
            hls: options.hls,
            ..super::app::Limits::default()
        };
        let trusted = Arc::new(options.trusted.clone());
        let verify = super::verify::Headers::default();
        let app = App::new(hub, gate, None, trusted, hostname, verify, &limits)
            .map_err(ListenError::Threads)?;
        let serving = listener::serve(socket, front, Arc::clone(&app), Limits::default());
        let (accepting, closed) = Accepting::new(serving);
        Ok(Self {
            address,
            options,
            app,
            keys,
            accepting: runtime.spawn(accepting).abort_handle(),
            closed,
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.accepting.abort();
        self.app.fanout.stop(GOODBYE);
        self.app.downloads.end(|_| true);
        // The port is free when this returns: the element may be started again at once.
        self.closed.wait(CLOSING);
        let mut open = open_listeners();
        // Not one that took a free port, this one, in the meantime.
        if open
            .get(&self.address)
            .is_some_and(|it| it.strong_count() == 0)
        {
            open.remove(&self.address);
        }
        drop(open);
        CLOSED.notify_all();
        // Connections that idle may hold the app for some seconds more; sessions are waited for here,
        // so that a process that ends now has said goodbye.
        self.app.fanout.join();
        self.app.leases.tell_all_left();
    }
}

impl Listener {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Serves a stream.
    pub fn serve(&self, offer: Offer) -> Result<Served, PublishError> {
        let stream = offer.stream.clone();
        let source = Source {
            origin: this(),
            stream: stream.clone(),
        };
        let publisher = self.shared.app.hub.publish(&source)?;
        // Before the new keys hold: nobody is let in by them yet.
        for scope in self.shared.keys.void(&stream, &offer.authority) {
            let before = u64::MAX;
            let withdrawal = Withdrawal::Record { scope, before }.on(stream.clone());
            let sessions = self.shared.app.withdraw(&withdrawal);
            tracing::info!(%source, sessions, "the secret is another one now");
        }
        self.shared.keys.serve(offer);
        self.shared.open_what_is_open();
        Ok(Served {
            shared: Arc::clone(&self.shared),
            publisher,
        })
    }
}

impl Shared {
    fn open_what_is_open(&self) {
        let mut streams = (self.app.gate.open.write()).unwrap_or_else(PoisonError::into_inner);
        *streams = self.keys.open();
    }
}

impl Served {
    /// Where its media goes.
    pub fn publisher(&self) -> &Arc<Publisher> {
        &self.publisher
    }

    fn stream(&self) -> &StreamName {
        &self.publisher.source().stream
    }

    /// Those who play it.
    pub fn players(&self) -> Players {
        Players::of(&self.shared.app, self.stream().clone())
    }

    /// The ids of its latest sessions, so many of them; and how many there are.
    pub fn sessions(&self, most: usize) -> (usize, Vec<u64>) {
        self.shared.app.leases.of_stream(self.stream(), most)
    }

    /// One of its sessions.
    pub fn session(&self, id: u64) -> Option<Listed> {
        let listed = self.shared.app.leases.listed(id);
        listed.filter(|listed| listed.stream == *self.stream())
    }

    /// Ends one of its sessions; `false` where there is none of this id.
    pub fn kick(&self, id: u64) -> bool {
        self.session(id).is_some() && self.shared.app.end_session(id)
    }

    /// Ends its sessions of this tag and address, each where it is given; returns how many.
    pub fn revoke(&self, tag: Option<Tag>, ip: Option<IpAddr>) -> usize {
        let selection = Selection {
            stream: Some(self.stream().clone()),
            tag,
            ip,
            ..Selection::of(self.stream().orga())
        };
        let withdrawal = Withdrawal::Sessions(selection);
        self.shared.app.withdraw(&withdrawal)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shared.keys.leave(self.stream());
        self.shared.open_what_is_open();
    }
}

/// An element serves what flows into it: whatever the viewer's `url` says, there is one origin.
struct This;

impl OriginChoice for This {
    fn select(&self, _: Option<&str>, _: &Orga) -> Option<OriginName> {
        Some(this())
    }
}

fn this() -> OriginName {
    OriginName::new("this")
}

fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 must not make every token valid.
    UnixSeconds(since.map_or(u64::MAX, |since| since.as_secs()))
}

/// What all doors of the process run on: elements come and go, threads need not.
pub fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = workers::runtime().worker_threads(WORKERS).build()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

type Open = HashMap<SocketAddr, Weak<Shared>>;

/// Rung when a listener has left [`open_listeners`].
static CLOSED: Condvar = Condvar::new();

fn open_listeners() -> MutexGuard<'static, Open> {
    static OPEN: OnceLock<Mutex<Open>> = OnceLock::new();
    OPEN.get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
