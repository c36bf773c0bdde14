//! The console's pages, built into the binary.

use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY,
};
use hyper::{Response, StatusCode};

use super::logins::Login;
use crate::http::body::Body;

/// Nothing but our own files, and pictures that a page makes itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const LOGIN: &str = include_str!("pages/login.html");
const CONSOLE: &str = include_str!("pages/console.html");

/// What may be read without a login.
const PUBLIC: &[(&str, &str, &str)] = &[("/console/base.css", CSS, include_str!("pages/base.css"))];

const PRIVATE: &[(&str, &str, &str)] = &[
    (
        "/console/console.css",
        CSS,
        include_str!("pages/console.css"),
    ),
    ("/console/console.js", JS, include_str!("pages/console.js")),
    (
        "/console/console/format.js",
        JS,
        include_str!("pages/console/format.js"),
    ),
    (
        "/console/console/mint.js",
        JS,
        include_str!("pages/console/mint.js"),
    ),
    (
        "/console/console/server.js",
        JS,
        include_str!("pages/console/server.js"),
    ),
    (
        "/console/console/tables.js",
        JS,
        include_str!("pages/console/tables.js"),
    ),
];

/// Headers of every answer.
pub(super) fn protect(headers: &mut HeaderMap) {
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        // A policy that sends none makes browsers send "Origin: null" with a form.
        (REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// A file that everybody may read.
pub(super) fn public(path: &str) -> Option<Response<Body>> {
    find(PUBLIC, path)
}

/// A file for operators.
pub(super) fn private(path: &str) -> Option<Response<Body>> {
    find(PRIVATE, path)
}

fn find(files: &[(&str, &'static str, &'static str)], path: &str) -> Option<Response<Body>> {
    let (_, kind, content) = files.iter().find(|(name, ..)| *name == path)?;
    Some(page(kind, *content))
}

/// The login page, with what went wrong. The message is ours and holds no markup.
pub(super) fn login(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = page(HTML, LOGIN.replace("{{message}}", message));
    *response.status_mut() = status;
    response
}

/// The console for a login. Neither name nor token can hold markup.
pub(super) fn console(login: &Login) -> Response<Body> {
    let text = CONSOLE
        .replace("{{csrf}}", &login.csrf)
        .replace("{{operator}}", login.operator.name.as_str())
        .replace("{{version}}", env!("CARGO_PKG_VERSION"));
    page(HTML, text)
}

fn page(kind: &'static str, content: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
