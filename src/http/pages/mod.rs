//! The player page and its parts, built into the binary.

use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
};
use hyper::{Method, Response, StatusCode};

use super::body::{Body, text};

/// Nothing but our own files, sockets of any H5Live server, and media from memory.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self' ws: wss:; media-src 'self' blob: https:; img-src 'self' data:; \
    base-uri 'none'; form-action 'self'; frame-ancestors *";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// One file of the page.
pub struct Page {
    path: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! page {
    ($path:expr, $file:literal, $kind:ident) => {
        Page {
            path: $path,
            kind: $kind,
            content: include_str!($file),
        }
    };
    ($file:literal, $kind:ident) => {
        page!(concat!("/", $file), $file, $kind)
    };
}

const PAGES: &[Page] = &[
    page!("/", "player.html", HTML),
    page!("player.css", CSS),
    page!("player.js", JS),
    page!("player/codes.js", JS),
    page!("player/connection.js", JS),
    page!("player/live-edge.js", JS),
    page!("player/media-buffer.js", JS),
    page!("player/parameters.js", JS),
    page!("player/playback.js", JS),
];

/// The file at a path.
pub fn find(path: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.path == path)
}

/// Answers with a file.
pub fn answer(method: &Method, page: &Page) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = text(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page can be read only.\n",
        );
        let allow = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allow);
        return response;
    }
    let mut response = Response::new(Body::from(page.content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // The page's URL holds a token: other sites must not be told it.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}
