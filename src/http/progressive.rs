//! Progressive fMP4: one response that lasts as long as its viewer and its stream.
//!
//! It begins with the init segment and the last keyframe, skips to a keyframe where its client is too
//! slow, and ends with the stream: a player then comes again, and its request waits for the stream.

mod downloads;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN,
};
use hyper::{Method, Request, Response, Version};

use super::admit::{Door, Refusal, ViewerRequest};
use super::app::App;
use super::body::{Body, Live};
use super::facts::only;
use super::fetch::{self, Fetcher, refuse, share, wrong_method};
use super::leases::Counting;
use super::listener::Handshake;
use super::places::Place;
use super::way::Way;
use crate::hub::Fragments;
use downloads::Download;
pub use downloads::Downloads;

/// How long a request waits for a stream to be there.
const PATIENCE: Duration = Duration::from_secs(12);

/// How many bytes are handed to the connection at a time: with the connection's own buffers, all that a
/// slow client holds. One fragment may be more.
const TURN: usize = 64 * 1024;

/// Answers `GET stream.mp4`.
pub async fn stream<B>(
    app: &App,
    door: Door,
    peer: IpAddr,
    request: &Request<B>,
) -> Response<Body> {
    if let Some(refusal) = wrong_method(request.method()) {
        return refusal;
    }
    let headers = request.headers();
    let mut response = match enter(app, door, peer, request).await {
        Ok(body) => found(body),
        Err(refusal) => {
            app.refused(Way::Progressive, peer, request, &refusal);
            refuse(&refusal)
        }
    };
    share(app, headers, &mut response);
    // HTTP/2 has no such header, and its connection has other streams.
    if request.version() < Version::HTTP_2 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        if response.status().is_success() && request.method() == Method::GET {
            Handshake::end(request);
        }
    }
    response
}

fn found(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp4"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    response
}

async fn enter<B>(
    app: &App,
    door: Door,
    peer: IpAddr,
    request: &Request<B>,
) -> Result<Body, Refusal> {
    let headers = request.headers();
    app.gate.page_of_fetch(only(headers, &ORIGIN))?;
    let wanted = ViewerRequest::read(door, request.uri().query().unwrap_or_default())?;
    let facts = app.facts(peer, headers);
    let head = *request.method() == Method::HEAD;
    let counting = match head {
        true => Counting::Beside,
        false => Counting::Media(wanted.player.as_deref()),
    };
    let Fetcher {
        admission, lease, ..
    } = fetch::admit(app, &wanted, facts, headers, counting).await?;
    lease.is_by(Way::Progressive);
    if head {
        return Ok(Body::default());
    }
    let place = app.places.take().ok_or(Refusal::Full)?;
    let (grant, origin) = (&admission.grant, &admission.source.origin);
    let fragments = app.hub.fragments(grant, origin);
    let fragments = fragments.map_err(|_| Refusal::Full)?;
    let download = app.downloads.begin(grant.clone(), fragments.bell());
    let mut file = File {
        first: VecDeque::new(),
        fragments,
        download,
        withdrawn: Box::pin(async move {
            let _ = lease.ended().await;
        }),
        _place: place,
    };
    let mut first = VecDeque::new();
    let begun = std::future::poll_fn(|cx| file.poll_pieces(cx, &mut first));
    match tokio::time::timeout(PATIENCE, begun).await {
        Ok(true) => {
            file.first = first;
            Ok(Body::live(file))
        }
        Ok(false) | Err(_) => Err(Refusal::NotLive),
    }
}

/// What a response's body is made of.
struct File {
    /// What was there when it was answered.
    first: VecDeque<Bytes>,
    fragments: Fragments,
    download: Download,
    /// Holds its lease.
    withdrawn: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    _place: Place,
}

impl Live for File {
    fn poll_pieces(&mut self, cx: &mut Context<'_>, pieces: &mut VecDeque<Bytes>) -> Poll<bool> {
        if self.download.is_ended() || self.withdrawn.as_mut().poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        if !self.first.is_empty() {
            pieces.append(&mut self.first);
            return Poll::Ready(true);
        }
        let polled = self.fragments.poll(cx, TURN, pieces);
        // It may have been ended after the look above and before the bell was listened to.
        match polled {
            Poll::Pending if self.download.is_ended() => Poll::Ready(false),
            polled => polled,
        }
    }
}
