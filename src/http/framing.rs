//! What HTTP/1.1 forbids and hyper lets through: a proxy in front may read such a request in another
//! way than we do, so it is refused as a whole.

use hyper::Version;
use hyper::header::{HOST, HeaderMap, TRANSFER_ENCODING};

/// What is wrong with a request's head, as the client is told it.
pub fn check(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    // RFC 9112, 3.2: one, and none only from clients of before HTTP/1.1.
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
        return Err("Send exactly one Host header.\n");
    }
    // RFC 9112, 6.1: of several codings hyper undoes the last one only.
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let known = codings
        .next()
        .is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !known || codings.next().is_some() {
        return Err("Of all transfer codings, send chunked alone.\n");
    }
    Ok(())
}
