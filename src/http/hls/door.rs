//! Answers requests for the playlist and for what it lists. A request may wait for what comes next, a
//! bounded time and a bounded number of them for each player.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};
use hyper::{Request, Response, StatusCode};

use super::resource::Resource;
use super::sessions::{Arrival, Session};
use crate::http::admit::{Door, Refusal, ViewerRequest};
use crate::http::app::App;
use crate::http::body::{Body, text};
use crate::http::facts::{names_page, only};
use crate::http::fetch::{self, Fetcher, refuse, share, wrong_method};
use crate::http::leases::Counting;
use crate::http::viewer_key::ViewerKey;
use crate::http::way::Way;
use crate::media::hls::{Edge, PREFIX, Window};
use crate::token::Query;

/// How long a playlist waits for a stream to be there, or for its next part.
const PATIENCE: Duration = Duration::from_secs(12);

/// How far ahead of the newest segment a reload may ask (RFC 8216bis, 6.2.5.2).
const AHEAD: u64 = 2;

const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
const MP4: HeaderValue = HeaderValue::from_static("video/mp4");

/// What a reload asks for (RFC 8216bis, 6.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Directives {
    /// The segment, and the part of it, that the playlist must hold.
    at_least: Option<(u64, Option<u64>)>,
    skip: bool,
}

/// Answers `GET playlist.m3u8`.
pub async fn playlist<B>(
    app: &App,
    door: Door,
    peer: IpAddr,
    request: &Request<B>,
) -> Response<Body> {
    if let Some(refusal) = wrong_method(request.method()) {
        return refusal;
    }
    let query = request.uri().query().unwrap_or_default();
    let headers = request.headers();
    let mut response = match answer_playlist(app, peer, (door, query), headers).await {
        Ok(response) => response,
        Err(refusal) => {
            app.refused(Way::Hls, peer, request, &refusal);
            refuse(&refusal)
        }
    };
    share(app, headers, &mut response);
    response
}

/// Answers `GET <capability>/<name>`; `path` is what stands behind the playlist's directory.
pub async fn media<B>(
    app: &App,
    door: Door,
    peer: IpAddr,
    path: &str,
    request: &Request<B>,
) -> Response<Body> {
    if let Some(refusal) = wrong_method(request.method()) {
        return refusal;
    }
    let headers = request.headers();
    let found = resource(app, door, peer, path, headers).await;
    let mut response = found.unwrap_or_else(|| {
        // Whether it is unknown, over or somebody else's is not told.
        text(
            StatusCode::NOT_FOUND,
            "There is nothing at this address; reload the playlist.\n",
        )
    });
    share(app, headers, &mut response);
    response
}

async fn answer_playlist(
    app: &App,
    peer: IpAddr,
    (door, query): (Door, &str),
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    app.gate.page_of_fetch(only(headers, &ORIGIN))?;
    let wanted = ViewerRequest::read(door, query)?;
    let directives = Directives::read(query)?;
    let session = enter(app, peer, &wanted, headers).await?;
    let _request = session.requests.take().ok_or(Refusal::Full)?;
    let skip = directives.skip;
    let found = session.feed.wait(PATIENCE, |window| {
        if !window.is_playable() {
            return None;
        }
        let edge = window.edge();
        match directives.at_least {
            Some((segment, _)) if segment > edge.segment + AHEAD => Some(None),
            Some(wanted) if !has(edge, wanted) => None,
            _ => Some(Some(window.playlist(skip))),
        }
    });
    let found = tokio::select! {
        biased;
        end = session.lease.ended() => return Err(Refusal::Ended(end)),
        found = found => found,
    };
    session.touch(Instant::now());
    match found {
        Some(Some(text)) => {
            let prefix = format!("{}/", session.capability);
            Ok(playlist_response(text.replace(PREFIX, &prefix), headers))
        }
        Some(None) => Err(Refusal::BadRequest(
            "_HLS_msn is too far ahead of the playlist".to_owned(),
        )),
        None => Err(Refusal::NotLive),
    }
}

/// The player's session, or a new one where the gate lets it in.
async fn enter(
    app: &App,
    peer: IpAddr,
    wanted: &ViewerRequest,
    headers: &HeaderMap,
) -> Result<Arc<Session>, Refusal> {
    let facts = app.facts(peer, headers);
    let viewer = ViewerKey::of(wanted, facts.ip);
    let now = Instant::now();
    if let Some(end) = app.hls.ended(viewer, now) {
        return Err(Refusal::Ended(end));
    }
    if let Some(session) = app.hls.of(viewer)
        && session.fits(&facts, names_page(headers))
    {
        if let Some(end) = session.lease.end() {
            return Err(Refusal::Ended(end));
        }
        session.touch(now);
        return Ok(session);
    }
    let counting = Counting::Media(wanted.player.as_deref());
    let Fetcher {
        admission,
        pageless,
        lease,
    } = fetch::admit(app, wanted, facts, headers, counting).await?;
    lease.is_by(Way::Hls);
    let place = app.places.take().ok_or(Refusal::Full)?;
    let feed = app.hub.feed(&admission.grant, &admission.source.origin);
    let arrival = Arrival {
        feed: feed.map_err(|_| Refusal::Full)?,
        door: admission.door,
        lease,
        grant: admission.grant,
        pageless,
        viewer,
        place,
    };
    let session = app.hls.begin(arrival, now).ok_or(Refusal::Full)?;
    app.traffic.hls_sessions.fetch_add(1, Ordering::Relaxed);
    Ok(session)
}

async fn resource(
    app: &App,
    door: Door,
    peer: IpAddr,
    path: &str,
    headers: &HeaderMap,
) -> Option<Response<Body>> {
    let (capability, resource) = Resource::read(path)?;
    let session = app.hls.get(capability)?;
    let facts = app.facts(peer, headers);
    if session.door != door || !session.fits(&facts, names_page(headers)) {
        return None;
    }
    session.touch(Instant::now());
    let Some(_request) = session.requests.take() else {
        let busy = "This player has too many requests open.\n";
        return Some(text(StatusCode::TOO_MANY_REQUESTS, busy));
    };
    let pieces = session
        .feed
        .wait(PATIENCE, |window| piece(window, resource));
    let pieces = tokio::select! {
        biased;
        _ = session.lease.ended() => return None,
        pieces = pieces => pieces.flatten()?,
    };
    session.touch(Instant::now());
    let mut response = Response::new(Body::of(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MP4);
    // What has this name never changes; what bears a capability is for one viewer.
    let cache = HeaderValue::from_static("private, max-age=60, immutable");
    headers.insert(CACHE_CONTROL, cache);
    Some(response)
}

/// A resource, once it is there; `Some(None)` where it will never be.
fn piece(window: &Window, resource: Resource) -> Option<Option<Vec<Bytes>>> {
    let found = match resource {
        Resource::Init(id) => window.init_segment(id).map(|init| vec![init]),
        Resource::Segment(number) => window.segment(number),
        Resource::Part(segment, part) => window.part(segment, part),
    };
    if found.is_some() {
        return Some(found);
    }
    // The part that the playlist has hinted at is worth waiting for.
    let edge = window.edge();
    let hinted = Resource::Part(edge.segment, edge.parts);
    (resource != hinted).then_some(None)
}

fn has(edge: Edge, (segment, part): (u64, Option<u64>)) -> bool {
    match part {
        // A part that its segment never got is there when the next segment has one.
        Some(part) => {
            edge > Edge {
                segment,
                parts: part,
            }
        }
        None => edge.segment > segment,
    }
}

impl Directives {
    fn read(query: &str) -> Result<Self, Refusal> {
        let query = Query::parse(query).map_err(bad)?;
        let number = |name: &'static str| match query.get(name).map_err(bad)? {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Refusal::BadRequest(format!("{name} is not a number"))),
            },
        };
        let (segment, part) = (number("_HLS_msn")?, number("_HLS_part")?);
        if segment.is_none() && part.is_some() {
            return Err(Refusal::BadRequest("_HLS_part needs _HLS_msn".to_owned()));
        }
        let skip = matches!(query.get("_HLS_skip").map_err(bad)?, Some("YES" | "v2"));
        Ok(Self {
            at_least: segment.map(|segment| (segment, part)),
            skip,
        })
    }
}

fn bad(error: impl std::error::Error) -> Refusal {
    Refusal::BadRequest(error.to_string())
}

fn playlist_response(text: String, asked: &HeaderMap) -> Response<Body> {
    let gzip = only(asked, &ACCEPT_ENCODING).is_some_and(takes_gzip);
    let zipped = gzip.then(|| zip(text.as_bytes())).flatten();
    let is_zipped = zipped.is_some();
    let mut response = Response::new(zipped.map_or_else(|| Body::from(text), Body::from));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PLAYLIST);
    // It bears a capability.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if is_zipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn takes_gzip(accepts: &str) -> bool {
    accepts.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn zip(text: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}
