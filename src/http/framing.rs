//! What HTTP forbids and hyper lets through: a proxy in front may read such a request in another way
//! than we do, so it is refused as a whole.

use hyper::header::{HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::{Method, Request, Uri, Version};

const NO_PROXY: &str = "Send the path alone: this server is no proxy.\n";
const ONE_HOST: &str = "Send exactly one Host header.\n";

/// What is wrong with a request's head, as the client is told it.
pub fn check<B>(request: &Request<B>) -> Result<(), &'static str> {
    if request.version() == Version::HTTP_2 {
        return http2(request.method(), request.uri(), request.headers());
    }
    http1(request.version(), request.uri(), request.headers())
}

fn http1(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    // RFC 9112, 3.2: one, and none only from clients of before HTTP/1.1.
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
        return Err(ONE_HOST);
    }
    // RFC 9112, 6.1: of several codings hyper undoes the last one only.
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let known = codings
        .next()
        .is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !known || codings.next().is_some() {
        return Err("Of all transfer codings, send chunked alone.\n");
    }
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(NO_PROXY);
    }
    Ok(())
}

/// RFC 9113, 8.3.1: scheme and authority are parts of every request, so they tell no proxy's from ours.
fn http2(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    if method == Method::CONNECT || !path.starts_with('/') {
        return Err(NO_PROXY);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let agree = match (uri.authority(), hosts.next()) {
        (Some(authority), Some(host)) => host
            .as_bytes()
            .eq_ignore_ascii_case(authority.as_str().as_bytes()),
        (authority, host) => authority.is_some() || host.is_some(),
    };
    if !agree || hosts.next().is_some() {
        return Err(ONE_HOST);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A request in a word, its version, method, target and Hosts, and whether it is good.
    type Row = (
        &'static str,
        Version,
        &'static str,
        &'static str,
        &'static [&'static str],
        bool,
    );

    #[test]
    fn what_may_stand_at_the_head_of_each_version() {
        let rows: [Row; 13] = [
            ("1.1", Version::HTTP_11, "GET", "/a", &["a"], true),
            ("1.1, no host", Version::HTTP_11, "GET", "/a", &[], false),
            (
                "1.1, two",
                Version::HTTP_11,
                "GET",
                "/a",
                &["a", "a"],
                false,
            ),
            ("1.0, no host", Version::HTTP_10, "GET", "/a", &[], true),
            (
                "1.1, absolute",
                Version::HTTP_11,
                "GET",
                "http://a/a",
                &["a"],
                false,
            ),
            (
                "1.1, authority",
                Version::HTTP_11,
                "CONNECT",
                "a:1",
                &["a"],
                false,
            ),
            ("2", Version::HTTP_2, "GET", "https://a/a", &[], true),
            (
                "2, both",
                Version::HTTP_2,
                "GET",
                "https://A/a",
                &["a"],
                true,
            ),
            ("2, host alone", Version::HTTP_2, "GET", "/a", &["a"], true),
            (
                "2, they differ",
                Version::HTTP_2,
                "GET",
                "https://a/a",
                &["b"],
                false,
            ),
            (
                "2, two",
                Version::HTTP_2,
                "GET",
                "https://a/a",
                &["a", "b"],
                false,
            ),
            ("2, neither", Version::HTTP_2, "GET", "/a", &[], false),
            ("2, CONNECT", Version::HTTP_2, "CONNECT", "a:1", &[], false),
        ];
        for (name, version, method, uri, hosts, good) in rows {
            let mut request = Request::builder().version(version).method(method).uri(uri);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let request = request.body(()).unwrap();
            assert_eq!(check(&request).is_ok(), good, "{name}");
        }
        let star = Request::options("*").version(Version::HTTP_2);
        assert!(check(&star.header(HOST, "a").body(()).unwrap()).is_err());
    }
}
