//! The doors of an element that is used without the server: one listener an address, shared by all
//! elements of the process, and no API.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;

use super::admit::{Gate, KeySource, Lookup, OriginChoice};
use super::app::App;
use super::client_address::Nobody;
use super::listener::{self, Front, Limits};
use super::tls::{self, TlsError, TlsFiles};
use crate::hub::{Hub, OriginName, PublishError, Publisher, Source};
use crate::token::{
    Key, KeyLookup, Kid, OpenStreams, Orga, Scope, StreamName, UnixSeconds, Withdrawal,
};

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
    /// The certificate or the key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no threads.
    #[error("can't start the threads that serve viewers ({0})")]
    Threads(io::Error),
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
    tls: Option<TlsFiles>,
    app: Arc<App>,
    keys: Arc<Keys>,
    accepting: tokio::task::AbortHandle,
    /// Nothing is ever sent: it ends with the task that accepts, and so with its socket.
    closed: Mutex<mpsc::Receiver<Infallible>>,
}

#[derive(Default)]
struct Keys(Mutex<HashMap<StreamName, Kept>>);

/// A stream's key, numbered anew whenever its secret changes. It stays when the stream is taken off, so
/// that viewers who wait for it get it only from an element with the same secret.
struct Kept {
    key: Key,
    served: bool,
}

/// Opens the doors at an address, or joins those that are open there. Port 0 takes a free one.
pub fn open(
    address: SocketAddr,
    tls: Option<TlsFiles>,
    plain_http: bool,
) -> Result<Listener, ListenError> {
    if tls.is_none() && !plain_http && !address.ip().is_loopback() {
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
        return match shared.tls == tls {
            true => Ok(Listener { shared }),
            false => Err(ListenError::OtherTls(address)),
        };
    }
    let shared = Arc::new(Shared::open(address, tls)?);
    open.insert(shared.address, Arc::downgrade(&shared));
    Ok(Listener { shared })
}

impl Shared {
    fn open(address: SocketAddr, files: Option<TlsFiles>) -> Result<Self, ListenError> {
        let tls = files.as_ref().map(tls::from_files).transpose()?;
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
            page_origins: Vec::new(),
            open: OpenStreams::default(),
        };
        let hostname = address.to_string();
        let hub = Hub::new(crate::hub::Limits::default());
        let limits = super::app::Limits::default();
        let verify = super::verify::Headers::default();
        let app = App::new(hub, gate, None, Arc::new(Nobody), hostname, verify, &limits)
            .map_err(ListenError::Threads)?;
        let (open, closed) = mpsc::channel();
        let serving = listener::serve(socket, front, Arc::clone(&app), Limits::default());
        let serving = async move {
            let _open = open;
            serving.await
        };
        Ok(Self {
            address,
            tls: files,
            app,
            keys,
            accepting: runtime.spawn(serving).abort_handle(),
            closed: Mutex::new(closed),
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.accepting.abort();
        self.app.fanout.stop(GOODBYE);
        self.app.downloads.end(|_| true);
        // The port is free when this returns: the element may be started again at once.
        let closed = self
            .closed
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let _ = closed.recv_timeout(CLOSING);
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
    }
}

impl Listener {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Serves a stream to whoever holds a token that this key signed.
    pub fn serve(&self, stream: StreamName, key: Key) -> Result<Served, PublishError> {
        let source = Source {
            origin: this(),
            stream: stream.clone(),
        };
        let publisher = self.shared.app.hub.publish(&source)?;
        if let Some(before) = self.shared.keys.serve(&stream, &key) {
            let scope = Scope::Stream(stream);
            let withdrawal = Withdrawal::Record { scope, before };
            let sessions = self.shared.app.withdraw(&withdrawal);
            tracing::info!(%source, sessions, "the secret is another one now");
        }
        Ok(Served {
            shared: Arc::clone(&self.shared),
            publisher,
        })
    }
}

impl Served {
    /// Where its media goes.
    pub fn publisher(&self) -> &Arc<Publisher> {
        &self.publisher
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let stream = &self.publisher.source().stream;
        if let Some(kept) = self.shared.keys.lock().get_mut(stream) {
            kept.served = false;
        }
    }
}

impl Keys {
    /// Lets tokens of this key open a stream. Returns its revision where the secret before was another.
    fn serve(&self, stream: &StreamName, key: &Key) -> Option<u64> {
        let mut keys = self.lock();
        let last = keys.get(stream).map(|kept| &kept.key);
        let other = last.filter(|last| !last.same_secret(key));
        let replaced = other.map(|other| other.revision() + 1);
        let revision = replaced.or(last.map(Key::revision)).unwrap_or_default();
        let key = Key::from_parts(key.kid(), *key.signing_bytes(), revision);
        keys.insert(stream.clone(), Kept { key, served: true });
        replaced
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamName, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for Keys {
    fn key<'a>(&'a self, scope: &'a Scope, kid: Kid) -> Lookup<'a> {
        let found = match scope {
            Scope::Stream(stream) => self
                .lock()
                .get(stream)
                .filter(|kept| kept.served && kept.key.kid() == kid)
                .map(|kept| kept.key.clone()),
            Scope::Orga(_) => None,
        };
        Box::pin(std::future::ready(
            found.map_or(KeyLookup::Unknown, KeyLookup::Found),
        ))
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

/// One for the process: elements come and go, threads need not.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("h5live-doors")
        .enable_all()
        .build()?;
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
