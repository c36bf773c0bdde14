//! The upgrade: reads the request, gets the verdict, and hands the socket to the fan-out, or closes
//! with the code that tells the player why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode, Version};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::session::{Session, Viewer};
use crate::http::admit::{Admission, Door, Refusal, ViewerRequest};
use crate::http::app::App;
use crate::http::body::{Body, text};
use crate::http::connection::into_socket;
use crate::http::facts::only;
use crate::http::leases::Counting;
use crate::http::viewer_key::ViewerKey;
use crate::http::way::Way;
use crate::hub::websocket;
use crate::token::{Facts, StreamName};

/// RFC 6455, 1.3.
const ACCEPT_SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long a client that was refused may take to close its side.
const GOODBYE: Duration = Duration::from_secs(2);

/// What a client that is let in gets after its upgrade, or why it gets nothing.
type Verdict = Result<Entry, Refusal>;

enum Entry {
    Play(Box<Viewer>),
    CheckOnly,
}

/// Answers an upgrade request. A refusal is told after the upgrade, by a close code: a page can't see
/// the HTTP status of a failed one, and would try for ever.
pub async fn open<B>(
    app: &Arc<App>,
    door: Door,
    peer: std::net::IpAddr,
    mut request: Request<B>,
) -> Response<Body> {
    let accept = match handshake(&request) {
        Ok(accept) => accept,
        Err(status) => return refuse(status),
    };
    let verdict = admit(app, door, peer, &request)
        .await
        .inspect_err(|refusal| app.refused(Way::WebSocket, peer, &request, refusal));
    let upgrade = hyper::upgrade::on(&mut request);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => serve(&app, upgraded, verdict).await,
            Err(error) => tracing::debug!(%error, "the client left during its upgrade"),
        }
    });
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// The server's half of RFC 6455, 4.2.
fn handshake<B>(request: &Request<B>) -> Result<HeaderValue, StatusCode> {
    if request.method() != Method::GET {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let headers = request.headers();
    // hyper gives no socket back for HTTP/1.0: a 101 would be followed by nothing, not even a code.
    let upgrades = request.version() == Version::HTTP_11
        && has_token(headers, &CONNECTION, "upgrade")
        && has_token(headers, &UPGRADE, "websocket")
        && only(headers, &SEC_WEBSOCKET_VERSION) == Some("13");
    if !upgrades {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    // A body would be read from what is the WebSocket's already.
    let body = headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    if body {
        return Err(StatusCode::BAD_REQUEST);
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY)
        .filter(|key| STANDARD.decode(key).is_ok_and(|key| key.len() == 16))
        .ok_or(StatusCode::BAD_REQUEST)?;
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update(ACCEPT_SALT)
        .finalize();
    HeaderValue::from_str(&STANDARD.encode(digest)).map_err(|_| StatusCode::BAD_REQUEST)
}

fn has_token(headers: &HeaderMap, name: &hyper::header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

fn refuse(status: StatusCode) -> Response<Body> {
    let mut response = text(
        status,
        "This address speaks WebSocket; open it with a player.\n",
    );
    let headers = response.headers_mut();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
    }
    if status == StatusCode::UPGRADE_REQUIRED {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    response
}

async fn admit<B>(app: &App, door: Door, peer: std::net::IpAddr, request: &Request<B>) -> Verdict {
    let headers = request.headers();
    let facts = app.facts(peer, headers);
    let query = request.uri().query().unwrap_or_default();
    let wanted = app
        .gate
        .page(only(headers, &ORIGIN))
        .and_then(|()| ViewerRequest::read(door, query))
        .inspect_err(|refusal| log_refusal(None, &facts, refusal))?;
    let since = app.leases.mark();
    let outcome = app.gate.admit(&wanted, &facts).await;
    let entry = outcome.and_then(|admission| {
        if wanted.flags.check_and_close {
            return Ok((admission, None));
        }
        // Only now, so that nobody without a token takes a place or learns that there is none.
        let place = app.places.take().ok_or(Refusal::Full)?;
        // Beside an HLS session, most often.
        let counting = match wanted.flags.metadata_only {
            true => Counting::Beside,
            false => Counting::Media(wanted.player.as_deref()),
        };
        let grant = (&admission.grant, admission.token);
        let taken = app.leases.take(since, grant, facts.ip, counting);
        let lease = taken?;
        lease.is_by(Way::WebSocket);
        Ok((admission, Some((place, lease))))
    });
    log(
        &wanted,
        &facts,
        entry.as_ref().map(|(admission, _)| admission),
    );
    let (admission, held) = entry?;
    if let Some(page) = &facts.referer {
        let player = ViewerKey::of(&wanted, facts.ip);
        app.approvals.remember(player, page, Instant::now());
    }
    Ok(held.map_or(Entry::CheckOnly, |(place, lease)| {
        Entry::Play(Box::new(Viewer {
            admission,
            facts,
            lease,
            place,
            paused: wanted.flags.paused,
            metadata_only: wanted.flags.metadata_only,
        }))
    }))
}

pub(crate) fn log(request: &ViewerRequest, facts: &Facts, outcome: Result<&Admission, &Refusal>) {
    let (stream, client) = (&request.stream, facts.ip);
    match outcome {
        Ok(admission) => {
            let (kid, origin) = (admission.grant.kid(), &admission.source.origin);
            if admission.grant.is_open() {
                tracing::info!(%stream, %client, %origin, "viewer let in by an open door");
                return;
            }
            tracing::info!(%stream, %client, %origin, %kid, "viewer let in");
        }
        Err(refusal) => log_refusal(Some(stream), facts, refusal),
    }
}

/// Without a stream where the request names none that can be one.
fn log_refusal(stream: Option<&StreamName>, facts: &Facts, refusal: &Refusal) {
    tracing::info!(
        stream = stream.map(tracing::field::display),
        client = %facts.ip,
        code = refusal.code(),
        close = refusal.close_code(),
        "viewer refused: {refusal}"
    );
}

async fn serve(app: &App, upgraded: Upgraded, verdict: Verdict) {
    let viewer = match verdict {
        Ok(Entry::Play(viewer)) => viewer,
        Ok(Entry::CheckOnly) => return close(upgraded, 4200, "The token is valid.").await,
        Err(refusal) => return close(upgraded, refusal.close_code(), refusal.reason()).await,
    };
    match into_socket(upgraded) {
        Ok((socket, read)) => {
            let session = Session::new(&app.hub, *viewer, &app.sessions, Instant::now());
            app.fanout.add(socket, session, read);
        }
        Err(error) => tracing::warn!(%error, "a socket can't be handed to the fan-out"),
    }
}

/// Closes without having sent anything else, and waits a little for the client's own close so that
/// the code is not lost to a reset.
async fn close(upgraded: Upgraded, code: u16, reason: &str) {
    let mut io = hyper_util::rt::TokioIo::new(upgraded);
    let goodbye = async {
        io.write_all(&websocket::close_frame(code, reason)).await?;
        io.shutdown().await?;
        let mut rest = [0; 512];
        while io.read(&mut rest).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // Whoever does not take the code in time has left or plays games; either way we are done.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}
