//! What the doors that are fetched have in common: who is let in, and how a refusal is told.

use std::time::Instant;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue,
    ORIGIN, RETRY_AFTER, VARY,
};
use hyper::{Method, Response, StatusCode};

use super::admit::{Admission, Refusal, ViewerRequest};
use super::app::App;
use super::body::{Body, text};
use super::facts::names_page;
pub(crate) use super::h5live::door::log;
use super::leases::{Counting, Lease};
use super::viewer_key::ViewerKey;
use crate::token::Facts;

/// Somebody who is let in to fetch.
pub struct Fetcher {
    /// What to.
    pub admission: Admission,
    /// By an approval: its requests name no page.
    pub pageless: bool,
    /// How long.
    pub lease: Lease,
}

/// The verdict over a request that fetches. One that names no page may have been approved on a socket a
/// moment ago.
pub async fn admit(
    app: &App,
    wanted: &ViewerRequest,
    mut facts: Facts,
    headers: &HeaderMap,
    counting: Counting<'_>,
) -> Result<Fetcher, Refusal> {
    let approved = if names_page(headers) {
        None
    } else {
        let viewer = ViewerKey::of(wanted, facts.ip);
        app.approvals.page(viewer, Instant::now())
    };
    let pageless = approved.is_some();
    facts.referer = facts.referer.or(approved);
    let since = app.leases.mark();
    let outcome = app.gate.admit(wanted, &facts).await;
    let outcome = outcome.and_then(|admission| {
        let grant = (&admission.grant, admission.token);
        let taken = app.leases.take(since, grant, facts.ip, counting);
        let lease = taken?;
        Ok((admission, lease))
    });
    log(
        wanted,
        &facts,
        outcome.as_ref().map(|(admission, _)| admission),
    );
    let (admission, lease) = outcome?;
    Ok(Fetcher {
        admission,
        pageless,
        lease,
    })
}

/// Lets the pages that may play read the answer.
pub fn share(app: &App, asked: &HeaderMap, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = asked.get(ORIGIN)
        && app.gate.page_of_fetch(origin.to_str().ok()).is_ok()
    {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
}

/// The answer to whoever does not just read.
pub fn wrong_method(method: &Method) -> Option<Response<Body>> {
    if *method == Method::GET || *method == Method::HEAD {
        return None;
    }
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "This can be read only.\n");
    let allow = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(ALLOW, allow);
    Some(response)
}

/// The answer to whoever is not let in.
pub fn refuse(refusal: &Refusal) -> Response<Body> {
    let status = refusal.status();
    let code = refusal.close_code();
    let body = serde_json::json!({"error": {"code": code, "message": refusal.reason()}});
    let mut response = Response::new(Body::from(format!("{body}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}
