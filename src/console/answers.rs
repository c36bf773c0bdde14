//! Which request gets what. Nothing but the login page and its style is given without a login, and
//! nothing is changed but by a page of our own that knows the login's CSRF token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::Console;
use super::hosts::{is_from_another_site, is_from_own_page};
use super::logins::{Login, same};
use super::pages;
use crate::http::body::{Body, text};
use crate::http::facts::only;

/// The most bytes of a request's body, and how long it may take.
const BODY_LIMIT: usize = 16 * 1024;
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Where a page puts its login's CSRF token.
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// What `POST kick` asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kick {
    session: u64,
}

/// A refusal that a page shows.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    /// The form's field that is to blame.
    pub field: Option<&'static str>,
    /// What to do.
    pub message: String,
}

impl Console {
    /// Answers a request.
    pub async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let mut response = match self.hosts.host(request.headers()).map(str::to_owned) {
            Some(host) => self.route(peer, &host, request).await,
            None => text(
                StatusCode::MISDIRECTED_REQUEST,
                "This is the console of h5live, and not by this name. Add the name to console.hosts.\n",
            ),
        };
        pages::protect(response.headers_mut());
        response
    }

    async fn route(
        self: &Arc<Self>,
        peer: IpAddr,
        host: &str,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let (is_get, is_post) = match *request.method() {
            Method::GET | Method::HEAD => (true, false),
            Method::POST => (false, true),
            _ => return text(StatusCode::METHOD_NOT_ALLOWED, "Send GET or POST.\n"),
        };
        if is_get && matches!(path.as_str(), "/" | "/console") {
            return to_console();
        }
        if is_get && let Some(page) = pages::public(&path) {
            return page;
        }
        if is_post && !is_from_own_page(request.headers(), host) {
            return text(
                StatusCode::FORBIDDEN,
                "Only a page of the console may ask this.\n",
            );
        }
        if is_post && path == "/console/login" {
            let client = self.app.client_address(peer, request.headers());
            return match body(request).await {
                Ok(form) => self.log_in(client, &form).await,
                Err(refusal) => refusal,
            };
        }
        let Some(login) = self.login(request.headers()).await else {
            return match is_get && path == "/console/" {
                true => pages::login(StatusCode::OK, ""),
                false => text(StatusCode::UNAUTHORIZED, "Log in at /console/ first.\n"),
            };
        };
        if is_get && path == "/console/" {
            return pages::console(&login);
        }
        if is_from_another_site(request.headers()) {
            return text(
                StatusCode::FORBIDDEN,
                "Only a page of the console may ask this.\n",
            );
        }
        if is_get {
            let query = request.uri().query().unwrap_or_default();
            return match path.as_str() {
                "/console/events" => self.events(login.key, query),
                path => pages::private(path).unwrap_or_else(nothing),
            };
        }
        let token = only(request.headers(), &CSRF);
        if !token.is_some_and(|token| same(token, &login.csrf)) {
            return text(
                StatusCode::FORBIDDEN,
                "The page is out of date; load it again.\n",
            );
        }
        if path == "/console/logout" {
            self.logins.end(login.key, Instant::now());
            return self.logged_out();
        }
        let body = match body(request).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        match path.as_str() {
            "/console/kick" => self.kick(&login, &body),
            "/console/mint" => self.mint(&login, &body).await,
            _ => nothing(),
        }
    }

    /// The login of a request, if its operator still is one.
    async fn login(&self, headers: &HeaderMap) -> Option<Login> {
        let login = self.logins.find(headers, Instant::now())?;
        self.still(login).await
    }

    /// A login whose operator was removed, or has got another password, is over.
    pub(super) async fn still(&self, login: Login) -> Option<Login> {
        if !login.stale {
            return Some(login);
        }
        let now = Instant::now();
        match self.records.operator(&login.operator.name).await {
            Ok(Some(operator)) if operator.password == login.operator.password => {
                self.logins.prove(login.key, now);
            }
            Ok(_) => {
                self.logins.end(login.key, now);
                return None;
            }
            // The console is wanted most when something is out of order.
            Err(_) => {}
        }
        Some(login)
    }

    fn kick(&self, login: &Login, body: &[u8]) -> Response<Body> {
        let Ok(Kick { session }) = serde_json::from_slice(body) else {
            return problem(None, "Send {\"session\": a session's number}.".to_owned());
        };
        let ended = self.app.end_session(session);
        if ended {
            tracing::info!(operator = %login.operator.name, session, "a session is ended by the console");
        }
        json(StatusCode::OK, &serde_json::json!({"ended": ended}))
    }

    fn logged_out(&self) -> Response<Body> {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if let Some(cookie) = self.cookie("", Some(0)) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }
}

/// The way to the console.
pub(super) fn to_console() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let there = HeaderValue::from_static("/console/");
    response.headers_mut().insert(LOCATION, there);
    response
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // These types have neither maps with other keys than text nor foreign types.
    let text = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

pub(super) fn problem(field: Option<&'static str>, message: String) -> Response<Body> {
    json(StatusCode::BAD_REQUEST, &Problem { field, message })
}

fn nothing() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "There is nothing at this address.\n")
}

async fn body(request: Request<Incoming>) -> Result<Bytes, Response<Body>> {
    let read = Limited::new(request.into_body(), BODY_LIMIT).collect();
    match tokio::time::timeout(BODY_PATIENCE, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(text(
            StatusCode::BAD_REQUEST,
            "The body is too long, or did not arrive whole.\n",
        )),
        Err(_) => Err(text(
            StatusCode::REQUEST_TIMEOUT,
            "The body took too long.\n",
        )),
    }
}
