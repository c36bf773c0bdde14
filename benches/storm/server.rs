//! The server under the storm: the real doors, hub and fan-out with one live stream, and a counter where
//! origins would be pulled from.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use h5live::http::app::{self, App};
use h5live::http::client_address::Nobody;
use h5live::http::{listener, tls, workers};
use h5live::hub::{Demand, Hub, Publisher, Source};
use h5live::media::fragment::Output;
use serde_json::{Value, json};

use super::authority;
use super::child::{answer, orders};
use super::machine::{self, cpu_nanos, processes};
use super::media::{self, FRAMES_PER_SECOND, Stream};
use super::ticket;

/// Counts what would be pulled: streams that somebody was let in to, the live one apart.
struct Pulls(AtomicU64);

impl Demand for Pulls {
    fn viewers_changed(&self, source: &Source, wanted: bool) {
        if wanted && source.stream != ticket::stream(0) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The server's certificate and its key, in PEM, made by the parent.
pub type Pair = (String, String);

fn front(pair: Option<&Pair>) -> listener::Front {
    let tls = pair.map(|(certificate, key)| {
        let tls = tls::from_pem(certificate, key).expect("a certificate and its key");
        tls.config
    });
    listener::Front {
        tls,
        ..listener::Front::default()
    }
}

/// Runs until the parent is gone.
pub fn run(seconds: u64) {
    machine::pin(machine::MEASURED_CORE);
    processes::allow_files();
    let orders = orders(|| ());
    answer(json!({}));
    let pair = orders.recv().expect("the parent gives a certificate");
    let pair: Option<Pair> = serde_json::from_str(&pair).expect("a certificate, or null");
    let runtime = workers::runtime().build().expect("a runtime");
    let within = runtime.enter();
    let hub = Hub::new(h5live::hub::Limits::default());
    let pulls = Arc::new(Pulls(AtomicU64::new(0)));
    hub.set_demand(Arc::clone(&pulls) as _);
    let gate = authority::gate();
    let app = App::new(
        Arc::clone(&hub),
        gate,
        None,
        Arc::new(Nobody),
        "bench".into(),
        h5live::http::verify::Headers::default(),
        &app::Limits::default(),
    );
    let app = app.expect("threads for the fan-out");
    let anywhere = (IpAddr::from(Ipv4Addr::LOCALHOST), 0).into();
    let socket = listener::bind(anywhere).expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    runtime.spawn(listener::serve(
        socket,
        front(pair.as_ref()),
        Arc::clone(&app),
        listener::Limits::default(),
    ));
    drop(within);
    let source = Source {
        origin: authority::origin(),
        stream: ticket::stream(0),
    };
    let publisher = hub.publish(&source).expect("the only publisher");
    std::thread::spawn(move || publish(&publisher, seconds));
    answer(json!({"address": address.to_string()}));
    while orders.recv().is_ok() {
        answer(counters(&app, &pulls));
    }
}

fn counters(app: &App, pulls: &Pulls) -> Value {
    let fanout = app.fanout.counters();
    json!({
        "cpu_nanos": cpu_nanos(),
        "pulls": pulls.0.load(Ordering::Relaxed),
        "accepted": app.traffic.accepted.load(Ordering::Relaxed),
        "sessions": fanout.sessions.load(Ordering::Relaxed),
        "added": fanout.added.load(Ordering::Relaxed),
    })
}

fn publish(publisher: &Publisher, seconds: u64) {
    let stream = Stream::make(media::KBIT, seconds);
    publisher.publish(Output::Init(stream.init));
    let start = Instant::now();
    for (frame, mut fragment) in stream.frames.into_iter().enumerate() {
        let due = start + Duration::from_secs(frame as u64) / FRAMES_PER_SECOND as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut bytes = fragment.bytes.try_into_mut().expect("nobody else has it");
        media::stamp(&mut bytes, processes::now_nanos());
        fragment.bytes = bytes.freeze();
        publisher.publish(Output::Fragment(fragment));
    }
    panic!("the stream was made too short for this run");
}
