//! What the doors have taken and answered so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hyper::body::Body as _;
use hyper::{Method, Response, StatusCode};

use super::admit::Refusal;
use super::body::Body;

/// Why a connection ended before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was no TLS that we speak, or its PROXY header was no good.
    Handshake,
    /// It took too long.
    Timeout,
}

/// Counters of a process; every one only grows, `connections` apart.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Connections at this moment that are no viewer, or not yet.
    pub connections: AtomicUsize,
    /// Connections that were ever accepted.
    pub accepted: AtomicU64,
    /// [`Failure::Handshake`].
    pub handshakes_failed: AtomicU64,
    /// [`Failure::Timeout`].
    pub handshakes_timed_out: AtomicU64,
    /// HLS sessions that were ever begun.
    pub hls_sessions: AtomicU64,
    /// RTSP sessions at this moment.
    pub rtsp: AtomicUsize,
    /// RTSP sessions that were ever begun.
    pub rtsp_sessions: AtomicU64,
    /// Answers by the first digit of their status; whatever is none stands at 0.
    answers: [AtomicU64; 6],
    /// Bytes of their bodies.
    pub body_bytes: AtomicU64,
    /// By [`Refusal::code`]: as many as there are codes, and no more.
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

/// An RTSP session, counted until it is dropped.
pub struct RtspSession<'a>(&'a Traffic);

/// A connection, counted until it is dropped.
pub(super) struct Counted<'a>(&'a Traffic);

impl Traffic {
    pub(super) fn connection(&self) -> Counted<'_> {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    /// Counts one.
    pub fn rtsp_session(&self) -> RtspSession<'_> {
        self.rtsp_sessions.fetch_add(1, Ordering::Relaxed);
        self.rtsp.fetch_add(1, Ordering::Relaxed);
        RtspSession(self)
    }

    pub(super) fn failed(&self, failure: Failure) {
        let counter = match failure {
            Failure::Handshake => &self.handshakes_failed,
            Failure::Timeout => &self.handshakes_timed_out,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, method: &Method, response: &Response<Body>) {
        let class = usize::from(response.status().as_u16() / 100);
        if let Some(counter) = self.answers.get(class).or(self.answers.first()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if *method != Method::HEAD && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let bytes = response.body().size_hint().lower();
            self.body_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Notes that a viewer was not let in, or was put out by an update.
    pub fn refused(&self, refusal: &Refusal) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(refusal.code()).or_default() += 1;
    }

    /// Answers by the first digit of their status.
    pub fn answers(&self) -> impl Iterator<Item = (usize, u64)> {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.answers.iter().map(load).enumerate()
    }

    /// Viewers that were refused, by the reason's code.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for RtspSession<'_> {
    fn drop(&mut self) {
        self.0.rtsp.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
