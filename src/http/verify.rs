//! The verdict for a web server in front that serves files of its own (nginx's auth_request, for one).
//!
//! The original request comes in headers, and they are believed from the operator's proxies only:
//! whoever else could ask would choose the address and the page that a token is checked against.

use std::net::IpAddr;

use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER};
use hyper::{Request, Response, StatusCode};

use super::admit::{Door, Refusal, ViewerRequest};
use super::app::App;
use super::body::Body;
use super::client_address::client_address;
use super::facts::{only, page_in};
use super::fetch::wrong_method;
use super::way::Way;
use crate::token::{Facts, Grant};

/// The close code of a refusal, for the web server to hand on.
const CODE: HeaderName = HeaderName::from_static("x-h5live-code");

/// The headers in which the original request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// The path with its query, where the token is.
    pub uri: HeaderName,
    /// The client's address, and those of the proxies behind it.
    pub address: HeaderName,
    /// The page's origin.
    pub origin: HeaderName,
    /// The page.
    pub referer: HeaderName,
    /// The stream that what is asked for belongs to, by the web server's word. Where it is there, a
    /// token of another stream opens nothing, whatever the query says.
    pub stream: HeaderName,
}

impl Default for Headers {
    fn default() -> Self {
        Self {
            uri: HeaderName::from_static("x-original-uri"),
            address: HeaderName::from_static("x-forwarded-for"),
            origin: ORIGIN,
            referer: REFERER,
            stream: HeaderName::from_static("x-h5live-stream"),
        }
    }
}

/// Where Envoy's ext_authz asks: it puts the original path behind its prefix.
pub const BELOW: &str = "/secure/verify/";

/// Answers `GET /secure/verify`: 204, or 403 with the code in a header. Below [`BELOW`] it is 200 in place
/// of 204, because Envoy takes nothing else for a grant; what stands there is told in the header too.
pub async fn answer<B>(app: &App, peer: IpAddr, request: &Request<B>) -> Response<Body> {
    if let Some(refusal) = wrong_method(request.method()) {
        return refusal;
    }
    let mut response = Response::new(Body::default());
    *response.status_mut() = match request.uri().path().starts_with(BELOW) {
        true => StatusCode::OK,
        false => StatusCode::NO_CONTENT,
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Err(refusal) = verify(app, peer, request.headers()).await {
        headers.insert(CODE, HeaderValue::from(refusal.close_code()));
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

async fn verify(app: &App, peer: IpAddr, headers: &HeaderMap) -> Result<Grant, Refusal> {
    let outcome = match original(app, peer, headers) {
        Ok((wanted, facts)) => {
            let granted = app.gate.grant(&wanted, &facts).await;
            granted.map_err(|denial| (Some(wanted.stream), facts.ip, denial))
        }
        Err(refusal) => Err((None, peer, refusal)),
    };
    // Not one line for each file that is fetched.
    outcome.map_err(|(stream, client, refusal)| {
        app.traffic.refused(&refusal);
        app.denials.note(Way::Verify, stream, client, &refusal);
        tracing::info!(%client, code = refusal.code(), "not verified: {refusal}");
        refusal
    })
}

/// The original request, as the proxy tells it.
fn original(
    app: &App,
    peer: IpAddr,
    headers: &HeaderMap,
) -> Result<(ViewerRequest, Facts), Refusal> {
    if !app.trusted.trusts(peer.to_canonical()) {
        return Err(Refusal::Untrusted);
    }
    let names = &app.verify;
    let missing = |name: &HeaderName| Refusal::BadRequest(format!("the proxy sends no one {name}"));
    let uri = only(headers, &names.uri).ok_or_else(|| missing(&names.uri))?;
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let stream = match headers.contains_key(&names.stream) {
        true => Some(only(headers, &names.stream).ok_or_else(|| missing(&names.stream))?),
        false => None,
    };
    let wanted = match stream {
        Some(stream) => ViewerRequest::read_of(Door::Gated, stream, query)?,
        None => ViewerRequest::read(Door::Gated, query)?,
    };
    if !headers.contains_key(&names.address) {
        // Else the proxy would be taken for the client.
        return Err(missing(&names.address));
    }
    app.gate.page_of_fetch(only(headers, &names.origin))?;
    let hops = headers
        .get_all(&names.address)
        .iter()
        .map(|value| value.to_str().unwrap_or("?"));
    let facts = Facts {
        ip: client_address(peer, hops, &*app.trusted),
        referer: page_in(headers, &names.origin, &names.referer),
    };
    Ok((wanted, facts))
}
