//! The server under test: the real doors, hub and fan-out, on real sockets. Only the records and the
//! origin are stand-ins: one key, one origin, and a publisher that has its fragments already.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use h5live::http::app::{self, App};
use h5live::http::client_address::Nobody;
use h5live::http::{listener, tls, workers};
use h5live::hub::fanout::{self, Means};
use h5live::hub::{Hub, Publisher, Source, wire};
use h5live::media::fragment::{Fragment, Output};
use serde_json::json;
use tokio::runtime::Runtime;

use super::authority;
use super::child::{answer, orders};
use super::media::{self, Stream};
use super::publish::{self, Due, State, Target};
use super::setup::Setup;
use super::support::machine::{self, processes::allow_files};
use super::ticket;

/// The doors, open, and who publishes behind them.
pub struct Doors {
    pub app: Arc<App>,
    /// One a stream.
    pub publishers: Vec<Arc<Publisher>>,
    pub address: SocketAddr,
    /// Of a server that speaks TLS, in DER.
    pub certificate: Option<Vec<u8>>,
    _runtime: Runtime,
}

struct Live {
    doors: Doors,
    frames: Vec<Fragment>,
    /// What one reader is written of each frame.
    wire_bytes: Vec<u64>,
}

impl Target for Live {
    fn size(&self) -> (usize, usize) {
        (self.doors.publishers.len(), self.frames.len())
    }

    fn publish(&mut self, due: &Due, nanos: u64) {
        let made = &self.frames[due.frame];
        // A copy, as each stream has frames of its own.
        let mut bytes = BytesMut::from(&made.bytes[..]);
        media::stamp(&mut bytes, nanos);
        let fragment = Fragment {
            bytes: bytes.freeze(),
            ..made.clone()
        };
        self.doors.publishers[due.stream].publish(Output::Fragment(fragment));
    }

    fn state(&self) -> State {
        let counters = self.doors.app.fanout.counters();
        State {
            readers: counters.sessions.load(Ordering::Relaxed),
            skips: self.doors.app.hub.skips(),
            stalled: counters.stalled.load(Ordering::Relaxed),
        }
    }

    fn written(&self, frame: usize) -> Option<(u64, u64)> {
        let counters = self.doors.app.fanout.counters();
        let written = counters.bytes.load(Ordering::Relaxed);
        let more = self.wire_bytes[frame] * self.state().readers as u64;
        Some((written, written + more))
    }
}

/// A certificate for `bench.test`, and the front of a listener that has it.
fn tls_front() -> (listener::Front, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["bench.test".to_owned()]);
    let made = made.expect("a certificate");
    let tls = tls::from_pem(&made.cert.pem(), &made.signing_key.serialize_pem());
    let front = listener::Front {
        tls: Some(tls.expect("they go together").config),
        ..Default::default()
    };
    (front, made.cert.der().to_vec())
}

impl Doors {
    /// `threads`: how many write, and how many answer; 0 stands for one a core.
    pub fn open(setup: &Setup, threads: usize) -> Self {
        let mut builder = workers::runtime();
        if threads > 0 {
            builder.worker_threads(threads);
        }
        let runtime = builder.build().expect("a runtime");
        let within = runtime.enter();
        let gate = authority::gate();
        let hub = Hub::new(h5live::hub::Limits::default());
        let fanout = fanout::Limits {
            means: match setup.epoll {
                true => Means::Epoll,
                false => Means::Auto,
            },
            pages: true,
            threads,
            ..fanout::Limits::default()
        };
        let limits = app::Limits {
            // No bound of ours is what is measured.
            viewers: usize::MAX,
            fanout,
            ..app::Limits::default()
        };
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
        let (front, certificate) = match setup.tls {
            true => {
                let (front, certificate) = tls_front();
                (front, Some(certificate))
            }
            false => (listener::Front::default(), None),
        };
        let limits = listener::Limits::default();
        runtime.spawn(listener::serve(socket, front, Arc::clone(&app), limits));
        drop(within);
        let publisher = |number| {
            let source = Source {
                origin: authority::origin(),
                stream: ticket::stream(number),
            };
            hub.publish(&source).expect("the only publisher")
        };
        Self {
            app,
            publishers: (0..setup.streams).map(publisher).collect(),
            address,
            certificate,
            _runtime: runtime,
        }
    }
}

/// Runs until the parent is gone.
pub fn run(setup: &Setup) {
    if setup.cores == 1 {
        machine::pin(machine::MEASURED_CORE);
    }
    allow_files();
    let doors = Doors::open(setup, 0);
    let ready = json!({
        "address": doors.address.to_string(),
        "certificate": doors.certificate,
    });
    let stream = Stream::make(setup.kbit, setup.seconds);
    for publisher in &doors.publishers {
        publisher.publish(Output::Init(stream.init.clone()));
    }
    let wire_bytes = stream.frames.iter();
    let wire_bytes = wire_bytes.map(|fragment| wire::fragment(fragment).len() as u64);
    let mut live = Live {
        doors,
        wire_bytes: wire_bytes.collect(),
        frames: stream.frames,
    };
    let orders = orders(|| ());
    answer(ready);
    publish::run(&mut live, &orders);
}
