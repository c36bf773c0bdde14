//! The server under test: the real doors, hub and fan-out, on real sockets. Only the records and the
//! origin are stand-ins: one key, one origin, and a publisher that has its fragments already.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use h5live::http::admit::{Gate, KeySource, Lookup, OriginChoice};
use h5live::http::app::{self, App};
use h5live::http::client_address::Nobody;
use h5live::http::listener;
use h5live::hub::fanout::Means;
use h5live::hub::{Hub, OriginName, Publisher, Source, wire};
use h5live::media::fragment::{Fragment, Output};
use h5live::token::{Key, KeyLookup, Kid, Orga, Scope};
use serde_json::json;
use tokio::runtime::Runtime;

use super::child::{answer, orders};
use super::media::{self, Stream};
use super::publish::{self, Target};
use super::support::machine::{self, processes::allow_files};
use super::ticket;

struct OneKey(Key);

impl KeySource for OneKey {
    fn key<'a>(&'a self, _: &'a Scope, kid: Kid) -> Lookup<'a> {
        let found = match self.0.kid() == kid {
            true => KeyLookup::Found(self.0.clone()),
            false => KeyLookup::Unknown,
        };
        Box::pin(std::future::ready(found))
    }
}

struct OneOrigin;

impl OriginChoice for OneOrigin {
    fn select(&self, _: Option<&str>, _: &Orga) -> Option<OriginName> {
        Some(OriginName::new("bench"))
    }
}

/// The doors, open, and who publishes behind them.
pub struct Doors {
    pub app: Arc<App>,
    pub publisher: Arc<Publisher>,
    pub address: SocketAddr,
    _runtime: Runtime,
}

struct Live {
    doors: Doors,
    frames: Vec<Option<Fragment>>,
    /// What one reader is written of each frame.
    wire_bytes: Vec<u64>,
}

impl Target for Live {
    fn publish(&mut self, index: usize, nanos: u64) {
        let mut fragment = self.frames[index].take().expect("a frame goes out once");
        let mut bytes = fragment.bytes.try_into_mut().expect("nobody else has it");
        media::stamp(&mut bytes, nanos);
        fragment.bytes = bytes.freeze();
        self.doors.publisher.publish(Output::Fragment(fragment));
    }

    fn readers(&self) -> usize {
        self.doors
            .app
            .fanout
            .counters()
            .sessions
            .load(Ordering::Relaxed)
    }

    fn written(&self, index: usize) -> Option<(u64, u64)> {
        let written = self
            .doors
            .app
            .fanout
            .counters()
            .bytes
            .load(Ordering::Relaxed);
        let more = self.wire_bytes[index] * self.readers() as u64;
        Some((written, written + more))
    }
}

impl Doors {
    /// `threads`: how many write, and how many answer; 0 stands for one a core.
    pub fn open(means: Means, threads: usize) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if threads > 0 {
            builder.worker_threads(threads);
        }
        let runtime = builder.enable_all().build().expect("a runtime");
        let within = runtime.enter();
        let gate = Gate {
            keys: Arc::new(OneKey(ticket::key())),
            origins: Arc::new(OneOrigin),
            clock: Arc::new(ticket::now),
            skew: 0,
            page_origins: Vec::new(),
            open: Default::default(),
            audience: None,
        };
        let hub = Hub::new(h5live::hub::Limits::default());
        let mut limits = app::Limits::default();
        limits.fanout.means = means;
        limits.fanout.threads = threads;
        let trusted = Arc::new(Nobody);
        let app = App::new(
            Arc::clone(&hub),
            gate,
            None,
            trusted,
            "bench".into(),
            h5live::http::verify::Headers::default(),
            &limits,
        )
        .expect("threads for the fan-out");
        let anywhere = (IpAddr::from(Ipv4Addr::LOCALHOST), 0).into();
        let socket = listener::bind(anywhere).expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let limits = listener::Limits::default();
        runtime.spawn(listener::serve(
            socket,
            listener::Front::default(),
            Arc::clone(&app),
            limits,
        ));
        drop(within);
        let source = Source {
            origin: OriginName::new("bench"),
            stream: ticket::stream(),
        };
        let publisher = hub.publish(&source).expect("the only publisher");
        Self {
            app,
            publisher,
            address,
            _runtime: runtime,
        }
    }
}

/// Runs until the parent is gone.
pub fn run(seconds: u64, means: Means) {
    machine::pin(machine::MEASURED_CORE);
    allow_files();
    let doors = Doors::open(means, 0);
    let address = doors.address;
    let stream = Stream::make(seconds);
    doors.publisher.publish(Output::Init(stream.init));
    let wire_bytes = stream
        .frames
        .iter()
        .map(|fragment| wire::fragment(fragment).len() as u64);
    let wire_bytes = wire_bytes.collect();
    let mut live = Live {
        doors,
        frames: stream.frames.into_iter().map(Some).collect(),
        wire_bytes,
    };
    let orders = orders(|| ());
    answer(json!({"address": address.to_string()}));
    publish::run(live.frames.len(), &mut live, &orders);
}
