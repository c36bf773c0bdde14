//! What a live view shows: all numbers are read when it asks, none is kept for it.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::rates::Rates;
use super::{Console, ROWS};
use crate::http::denials::Denial;
use crate::http::leases::Listed;
use crate::hub::fanout::Standing;
use crate::hub::{Source, StreamFacts};
use crate::origin::Standing as Pull;

/// How long those who know are waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// One live view.
pub struct Watch {
    filter: String,
    rates: Rates,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    /// Milliseconds since 1970.
    now: u64,
    streams: Rows<Stream>,
    sessions: Sessions,
    denials: Vec<Denied>,
    origins: Vec<Origin<'a>>,
}

#[derive(Serialize)]
struct Rows<T> {
    matching: usize,
    rows: Vec<T>,
}

#[derive(Serialize)]
struct Sessions {
    total: usize,
    #[serde(flatten)]
    rows: Rows<Session>,
}

#[derive(Serialize)]
struct Stream {
    stream: String,
    origin: String,
    state: &'static str,
    /// After how many failures, and in how many seconds it is tried again.
    failures: Option<(u32, u64)>,
    viewers: usize,
    mime: Option<String>,
    width: Option<u16>,
    height: Option<u16>,
    fps: Option<f64>,
    audio_hertz: Option<u32>,
    audio_channels: Option<u8>,
    kbps: Option<u64>,
    keyframe_ms: Option<u64>,
}

#[derive(Serialize)]
struct Session {
    id: u64,
    door: &'static str,
    open: bool,
    stream: String,
    tag: Option<String>,
    client: String,
    since: u64,
    /// Bytes; of WebSockets only, as the kernel holds what others have not taken.
    behind: Option<u64>,
    skips: Option<u64>,
}

#[derive(Serialize)]
struct Denied {
    at: u64,
    door: &'static str,
    stream: Option<String>,
    client: String,
    code: &'static str,
    close: u16,
    reason: String,
}

#[derive(Serialize)]
struct Origin<'a> {
    name: &'a str,
    url: &'a str,
}

impl Watch {
    /// One that shows what holds this text.
    pub fn new(filter: String) -> Self {
        Self {
            filter,
            rates: Rates::default(),
        }
    }

    /// The next snapshot, as JSON in one line.
    pub async fn look(&mut self, console: &Console) -> String {
        let snapshot = Snapshot {
            now: milliseconds(SystemTime::now()),
            streams: self.streams(console).await,
            sessions: self.sessions(console).await,
            denials: self.denials(console),
            origins: (console.settings.origins.iter())
                .map(|(name, url)| Origin {
                    name: name.as_str(),
                    url,
                })
                .collect(),
        };
        // These types have neither maps with other keys than text nor foreign types.
        serde_json::to_string(&snapshot).unwrap_or_default()
    }

    async fn streams(&mut self, console: &Console) -> Rows<Stream> {
        let (matching, facts) = console.app.hub.survey(&self.filter, ROWS);
        let sources = facts.iter().map(|facts| facts.source.clone()).collect();
        let asked = console.supervisor.survey(sources);
        let pulls = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(pulls)) => pulls,
            _ => HashMap::new(),
        };
        let now = Instant::now();
        let rows = facts.into_iter().map(|facts| {
            let kbps = self.rates.look(&facts.source, facts.bytes, now);
            let kbps = kbps.filter(|_| facts.info.is_some());
            let pull = pulls.get(&facts.source).copied();
            let embedded = facts.source.origin == console.settings.embedded;
            stream(facts, pull, embedded, kbps)
        });
        let rows = rows.collect();
        self.rates.keep(now);
        Rows { matching, rows }
    }

    async fn sessions(&self, console: &Console) -> Sessions {
        let listing = console.app.leases.list(&self.filter, ROWS);
        let wanted = listing.shown.iter().map(|session| session.id).collect();
        let mut answers = console.app.fanout.survey(wanted);
        let mut standings = HashMap::new();
        let all = async {
            while let Some(answer) = answers.recv().await {
                standings.extend(answer.into_iter().map(|one| (one.id, one)));
            }
        };
        // Without the numbers of a thread that is too busy.
        let _ = tokio::time::timeout(PATIENCE, all).await;
        let rows = listing.shown.into_iter();
        let rows = rows.map(|listed| session(&listed, standings.get(&listed.id)));
        Sessions {
            total: listing.total,
            rows: Rows {
                matching: listing.matching,
                rows: rows.collect(),
            },
        }
    }

    fn denials(&self, console: &Console) -> Vec<Denied> {
        let denials = console.app.denials.latest().into_iter().map(denied);
        let matches = |denied: &Denied| {
            let stream = denied.stream.as_deref().unwrap_or_default();
            stream.contains(&self.filter) || denied.client.contains(&self.filter)
        };
        denials.filter(matches).collect()
    }
}

fn stream(facts: StreamFacts, pull: Option<Pull>, embedded: bool, kbps: Option<u64>) -> Stream {
    let plays = facts.info.is_some();
    let (state, failures) = match pull {
        Some(Pull::Resting { failures, left }) => ("lost", Some((failures, left.as_secs() + 1))),
        Some(Pull::Lingering) if plays => ("lingering", None),
        _ if plays => ("playing", None),
        Some(Pull::Pulled | Pull::Lingering) => ("pulling", None),
        Some(Pull::Waiting) => ("waiting", None),
        None if embedded && facts.published => ("pulling", None),
        None => ("waiting", None),
    };
    let Source { origin, stream } = facts.source;
    let (video, audio) = match &facts.info {
        Some(info) => (info.video.as_ref(), info.audio.as_ref()),
        None => (None, None),
    };
    Stream {
        stream: stream.as_str().to_owned(),
        origin: origin.as_str().to_owned(),
        state,
        failures,
        viewers: facts.viewers,
        width: video.map(|video| video.width),
        height: video.map(|video| video.height),
        fps: video.map(|video| video.frame_rate),
        audio_hertz: audio.map(|audio| audio.sample_rate),
        audio_channels: audio.map(|audio| audio.channels),
        kbps,
        keyframe_ms: facts.keyframe_interval_ms.filter(|_| plays),
        mime: facts.info.map(|info| info.mime_type),
    }
}

fn session(listed: &Listed, standing: Option<&Standing>) -> Session {
    Session {
        id: listed.id,
        door: listed.way.map_or("", |way| way.as_str()),
        open: listed.open,
        stream: listed.stream.as_str().to_owned(),
        tag: listed.tag.as_ref().map(|tag| tag.as_str().to_owned()),
        client: listed.client.to_string(),
        since: milliseconds(listed.since),
        behind: standing.map(|standing| standing.behind),
        skips: standing.map(|standing| standing.skips),
    }
}

fn denied(denial: Denial) -> Denied {
    Denied {
        at: milliseconds(denial.at),
        door: denial.way.as_str(),
        stream: denial.stream.map(|stream| stream.as_str().to_owned()),
        client: denial.client.to_canonical().to_string(),
        code: denial.refusal.code(),
        close: denial.refusal.close_code(),
        reason: denial.refusal.to_string(),
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
