//! What a request's connection and headers say of where it comes from.

use hyper::header::{HeaderMap, HeaderName, ORIGIN, REFERER};

use crate::token::Host;

/// The page's host. Browsers send no Referer with a WebSocket, so Origin comes first; an Origin that
/// names no host ("null") is not made up for by a Referer.
pub fn page(headers: &HeaderMap) -> Option<Host> {
    page_in(headers, &ORIGIN, &REFERER)
}

/// The same from headers of other names.
pub fn page_in(headers: &HeaderMap, origin: &HeaderName, referer: &HeaderName) -> Option<Host> {
    let stated = if headers.contains_key(origin) {
        only(headers, origin)
    } else {
        only(headers, referer)
    };
    stated.and_then(Host::of_url)
}

/// Whether a request names a page, a readable one or not.
pub fn names_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key(REFERER)
}

/// A header that stands there exactly once: two could be read in two ways.
pub fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    match values.next() {
        None => value.to_str().ok(),
        Some(_) => None,
    }
}
