//! What Prometheus is told. Labels have few values: no stream, no client, no token is among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::exposition::{Exposition, Kind};
use crate::http::app::App;
use crate::http::body::{Body, text};
use crate::http::certificate::Certificate;
use crate::origin::Supervisor;

/// What is asked when Prometheus asks.
pub(super) struct Metrics {
    pub app: Arc<App>,
    pub supervisor: Arc<Supervisor>,
    pub certificate: Option<Arc<Certificate>>,
}

impl Metrics {
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if request.uri().path() != "/metrics" {
            return text(StatusCode::NOT_FOUND, "The metrics are at /metrics.\n");
        }
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "This can be read only.\n");
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allow);
            return response;
        }
        let mut response = text(StatusCode::OK, "");
        *response.body_mut() = Body::from(self.text());
        let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, format);
        response
    }

    fn text(&self) -> String {
        let mut text = Exposition::default();
        text.each(
            "h5live_build_info",
            Kind::Gauge,
            "Always 1; the label says which version runs.",
            "version",
            [(env!("CARGO_PKG_VERSION"), 1)],
        );
        self.viewers(&mut text);
        self.streams(&mut text);
        self.traffic(&mut text);
        text.finish()
    }

    fn viewers(&self, text: &mut Exposition) {
        use Kind::{Counter, Gauge};
        let (counters, traffic) = (self.app.fanout.counters(), &self.app.traffic);
        text.each(
            "h5live_sessions",
            Gauge,
            "Sessions that play.",
            "door",
            [
                ("websocket", counters.sessions.load(Ordering::Relaxed)),
                ("hls", self.app.hls.count()),
                ("rtsp", traffic.rtsp.load(Ordering::Relaxed)),
            ],
        );
        text.each(
            "h5live_sessions_added_total",
            Counter,
            "Sessions that were ever begun.",
            "door",
            [
                ("websocket", load(&counters.added)),
                ("hls", load(&traffic.hls_sessions)),
                ("rtsp", load(&traffic.rtsp_sessions)),
            ],
        );
        let ended = self.app.leases.counters();
        text.each(
            "h5live_sessions_ended_total",
            Counter,
            "Sessions that were ended before their viewers left, on all doors.",
            "reason",
            [
                ("withdrawn", load(&ended.withdrawn)),
                ("expired", load(&ended.expired)),
                ("replaced", load(&ended.replaced)),
            ],
        );
        text.one(
            "h5live_sessions_stalled_total",
            Counter,
            "WebSocket sessions closed because they took no byte for limits.stall-timeout.",
            load(&counters.stalled),
        );
        text.one(
            "h5live_skips_total",
            Counter,
            "How often a WebSocket session fell limits.max-lag-bytes behind and skipped to a keyframe.",
            self.app.hub.skips(),
        );
        text.each(
            "h5live_bytes_sent_total",
            Counter,
            "Bytes handed to clients, without TLS: of WebSockets, and of the bodies of HTTP answers.",
            "door",
            [
                ("websocket", load(&counters.bytes)),
                ("http", load(&traffic.body_bytes)),
            ],
        );
        text.each(
            "h5live_viewers_refused_total",
            Counter,
            "Viewers that were not let in, by the reason that stands in the log.",
            "code",
            traffic.refusals(),
        );
    }

    fn streams(&self, text: &mut Exposition) {
        use Kind::{Counter, Gauge};
        let (counts, pulls) = (self.app.hub.counts(), self.supervisor.counters());
        text.each(
            "h5live_streams",
            Gauge,
            "Streams that are published, and those that viewers wait for.",
            "state",
            [("published", counts.published), ("awaited", counts.awaited)],
        );
        text.one(
            "h5live_pulls",
            Gauge,
            "Streams that are pulled from origins.",
            pulls.pulls.load(Ordering::Relaxed),
        );
        text.one(
            "h5live_pulls_started_total",
            Counter,
            "Pulls that were ever started.",
            load(&pulls.started),
        );
        text.one(
            "h5live_pulls_failed_total",
            Counter,
            "Pulls that could not start, or ended because their origin failed or fell silent.",
            load(&pulls.failed),
        );
    }

    fn traffic(&self, text: &mut Exposition) {
        use Kind::{Counter, Gauge};
        let traffic = &self.app.traffic;
        text.one(
            "h5live_connections",
            Gauge,
            "Connections that are no WebSocket session, or not yet.",
            traffic.connections.load(Ordering::Relaxed),
        );
        text.one(
            "h5live_connections_accepted_total",
            Counter,
            "Connections that were ever accepted.",
            load(&traffic.accepted),
        );
        text.each(
            "h5live_handshakes_failed_total",
            Counter,
            "Connections that ended within TLS or their PROXY header.",
            "reason",
            [
                ("invalid", load(&traffic.handshakes_failed)),
                ("timeout", load(&traffic.handshakes_timed_out)),
            ],
        );
        let answers = traffic.answers().skip(1);
        text.each(
            "h5live_http_responses_total",
            Counter,
            "Answers to requests, upgrades among them, by the class of their status.",
            "status",
            answers.map(|(class, count)| (format!("{class}xx"), count)),
        );
        if let Some(certificate) = &self.certificate {
            text.one(
                "h5live_certificate_reloads_total",
                Counter,
                "How often the certificate was replaced while the server ran.",
                certificate.reloads(),
            );
            text.one(
                "h5live_certificate_reload_failures_total",
                Counter,
                "How often changed certificate files could not be used.",
                certificate.failures(),
            );
        }
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
