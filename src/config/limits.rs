//! Every bound of the server, by name.

use std::time::Duration;

use super::ConfigError;
use super::section::Section;
use crate::http::leases::{OnSessionLimit, SessionLimits};
use crate::records::{CacheSettings, StoreSettings};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// `[limits]`. Times are lengths of time, sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `max-viewers`: viewers at once; one more is told to try later (4503). Default 10,000.
    pub max_viewers: usize,
    /// `max-requests`: connections at once that are no viewer, or not yet; more wait. Default 4,096.
    pub max_requests: usize,
    /// `handshake-timeout`: for PROXY header and TLS together, and for the head of each request.
    /// Default 10 s.
    pub handshake_timeout: Duration,
    /// `max-header-bytes`: a request's line and headers together. Default 32 KiB.
    pub max_header_bytes: usize,
    /// `max-http2-streams`: requests at once on one HTTP/2 connection. Default 64.
    pub max_http2_streams: u32,
    /// `http2-idle-timeout`: an HTTP/2 connection without a request for so long is closed. Default 60 s.
    pub http2_idle_timeout: Duration,
    /// `sessions-per-token`, `sessions-per-tag` and `on-session-limit`: sessions at once at this server by
    /// one token, and by tokens of one organisation with the same tag; 0, the default: no limit. One more
    /// is told to try later (4503, `refuse-new`, the default), or ends the oldest (4901, `end-oldest`).
    pub sessions: SessionLimits,
    /// `max-message-bytes`: one WebSocket message from a client. Default 16 KiB.
    pub max_message_bytes: usize,
    /// `max-lag-bytes`: a client that is further behind skips to the next keyframe. Default 2 MiB.
    pub max_lag_bytes: usize,
    /// `stall-timeout`: a client that takes no byte for so long is closed. Default 10 s.
    pub stall_timeout: Duration,
    /// `max-gop-bytes`: what is kept of one stream for those who join. Default 32 MiB.
    pub max_gop_bytes: usize,
    /// `max-pulls`: streams pulled from origins at once. Default 500.
    pub max_pulls: usize,
    /// `max-publishers`: connections to the embedded origin at once. Default 64.
    pub max_publishers: usize,
    /// `linger`: how long a pull goes on after its last viewer has left. Default 10 s.
    pub linger: Duration,
    /// `drain-timeout`: how long sessions may take to end when the server stops. Default 5 s.
    pub drain_timeout: Duration,
    /// `records-connections`: connections to the records at once. Default 4.
    pub records_connections: u32,
    /// `records-timeout`: how long an answer of the records is waited for. Default 5 s.
    pub records_timeout: Duration,
    /// `records-cache-age`: for so long a key is good that was read from the records, should they be out
    /// of reach; half as long it is used without asking again where others' changes are heard. Default
    /// 60 s; zero: keys are not remembered.
    pub records_cache_age: Duration,
    /// `records-cache-entries`: keys that are remembered. Default 10,000.
    pub records_cache_entries: usize,
    /// `api-failures`: refused API requests that one address, and one API key, may make in a row
    /// before 429. Default 20.
    pub api_failures: u64,
    /// `api-failure-recovery`: after so many seconds one more of them is allowed again. Default 3.
    pub api_failure_recovery_seconds: u64,
    /// `api-failure-entries`: addresses and API keys whose failures are remembered. Default 10,000.
    pub api_failure_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (store, cache) = (StoreSettings::default(), CacheSettings::default());
        Self {
            max_viewers: 10_000,
            max_requests: 4096,
            handshake_timeout: Duration::from_secs(10),
            max_header_bytes: 32 * KIB,
            max_http2_streams: 64,
            http2_idle_timeout: Duration::from_secs(60),
            sessions: SessionLimits::default(),
            max_message_bytes: 16 * KIB,
            max_lag_bytes: 2 * MIB,
            stall_timeout: Duration::from_secs(10),
            max_gop_bytes: 32 * MIB,
            max_pulls: 500,
            max_publishers: 64,
            linger: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(5),
            records_connections: store.connections,
            records_timeout: store.timeout,
            records_cache_age: cache.age,
            records_cache_entries: cache.entries,
            api_failures: 20,
            api_failure_recovery_seconds: 3,
            api_failure_entries: 10_000,
        }
    }
}

impl Limits {
    pub(super) fn read(mut section: Section) -> Result<Self, ConfigError> {
        let default = Self::default();
        let instant = Duration::from_millis(100);
        let minute = Duration::from_secs(60);
        let hour = Duration::from_secs(3600);
        let limits = Self {
            max_viewers: section.count("max-viewers", default.max_viewers, 1, 1_000_000)?,
            max_requests: section.count("max-requests", default.max_requests, 1, 1_000_000)?,
            handshake_timeout: section.duration(
                "handshake-timeout",
                default.handshake_timeout,
                instant,
                minute,
            )?,
            max_header_bytes: section.count(
                "max-header-bytes",
                default.max_header_bytes,
                8 * KIB,
                256 * KIB,
            )?,
            max_http2_streams: section.count(
                "max-http2-streams",
                default.max_http2_streams,
                1,
                1000,
            )?,
            http2_idle_timeout: section.duration(
                "http2-idle-timeout",
                default.http2_idle_timeout,
                instant,
                hour,
            )?,
            sessions: SessionLimits {
                per_token: section.count("sessions-per-token", 0, 0, 1_000_000)?,
                per_tag: section.count("sessions-per-tag", 0, 0, 1_000_000)?,
                on_limit: section
                    .parsed("on-session-limit", on_session_limit)?
                    .unwrap_or_default(),
            },
            max_message_bytes: section.count(
                "max-message-bytes",
                default.max_message_bytes,
                KIB,
                MIB,
            )?,
            max_lag_bytes: section.count(
                "max-lag-bytes",
                default.max_lag_bytes,
                64 * KIB,
                256 * MIB,
            )?,
            stall_timeout: section.duration(
                "stall-timeout",
                default.stall_timeout,
                instant,
                hour,
            )?,
            max_gop_bytes: section.count(
                "max-gop-bytes",
                default.max_gop_bytes,
                MIB,
                1024 * MIB,
            )?,
            max_pulls: section.count("max-pulls", default.max_pulls, 1, 100_000)?,
            max_publishers: section.count("max-publishers", default.max_publishers, 1, 100_000)?,
            linger: section.duration("linger", default.linger, Duration::ZERO, 24 * hour)?,
            drain_timeout: section.duration(
                "drain-timeout",
                default.drain_timeout,
                Duration::ZERO,
                hour,
            )?,
            records_connections: section.count(
                "records-connections",
                default.records_connections,
                1,
                64,
            )?,
            records_timeout: section.duration(
                "records-timeout",
                default.records_timeout,
                instant,
                minute,
            )?,
            records_cache_age: section.duration(
                "records-cache-age",
                default.records_cache_age,
                Duration::ZERO,
                hour,
            )?,
            records_cache_entries: section.count(
                "records-cache-entries",
                default.records_cache_entries,
                16,
                1_000_000,
            )?,
            api_failures: section.count("api-failures", default.api_failures, 1, 100_000)?,
            api_failure_recovery_seconds: section.whole_seconds(
                "api-failure-recovery",
                default.api_failure_recovery_seconds,
                1,
                3600,
            )?,
            api_failure_entries: section.count(
                "api-failure-entries",
                default.api_failure_entries,
                16,
                1_000_000,
            )?,
        };
        section.finish()?;
        Ok(limits)
    }
}

fn on_session_limit(text: &str) -> Result<OnSessionLimit, String> {
    match text {
        "refuse-new" => Ok(OnSessionLimit::RefuseNew),
        "end-oldest" => Ok(OnSessionLimit::EndOldest),
        _ => Err(format!(
            "\"{text}\" is not known. Write \"refuse-new\" or \"end-oldest\"."
        )),
    }
}
