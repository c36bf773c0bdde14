//! Sends those who come by HTTP to HTTPS, at the host that they asked for: where the certificate is
//! for it, so that nobody is sent anywhere else.

use hyper::header::{CACHE_CONTROL, HOST, HeaderValue, LOCATION};
use hyper::{Request, Response, StatusCode, Uri};
use rustls::pki_types::ServerName;

use super::body::{Body, text};
use super::certificate::Certificate;
use super::facts::only;

/// Answers a request that came without TLS; `port` is where HTTPS is spoken.
pub fn answer<B>(certificate: &Certificate, port: u16, request: &Request<B>) -> Response<Body> {
    let host = only(request.headers(), &HOST).and_then(host);
    let Some(host) = host.filter(|host| is_ours(certificate, host)) else {
        return text(
            StatusCode::MISDIRECTED_REQUEST,
            "Come by HTTPS, at a name that this server's certificate is for.\n",
        );
    };
    let Some(location) = location(host, port, request.uri()) else {
        return text(StatusCode::BAD_REQUEST, "Send a path that begins with /.\n");
    };
    let mut response = text(StatusCode::PERMANENT_REDIRECT, "Come by HTTPS.\n");
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    // It may hold a token.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

fn location(host: &str, port: u16, uri: &Uri) -> Option<HeaderValue> {
    let path = uri.path_and_query()?.as_str();
    if !path.starts_with('/') {
        return None;
    }
    let port = match port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    HeaderValue::try_from(format!("https://{host}{port}{path}")).ok()
}

/// The host of `host[:port]`, brackets and all; nothing that a URL could be ended or turned with.
fn host(value: &str) -> Option<&str> {
    let end = match value.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => value.find(':').unwrap_or(value.len()),
    };
    let (host, port) = value.split_at_checked(end)?;
    let port_is_one = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    port_is_one.then_some(host)
}

fn is_ours(certificate: &Certificate, host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare).is_ok_and(|name| certificate.is_for(&name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::http::tls;

    #[test]
    fn nobody_is_sent_to_a_host_that_the_certificate_is_not_for() {
        let names = [
            "play.example.com",
            "*.cdn.example.com",
            "192.0.2.1",
            "2001:db8::1",
        ];
        let made = rcgen::generate_simple_self_signed(names.map(str::to_owned)).unwrap();
        let key = made.signing_key.serialize_pem();
        let tls = tls::from_pem(&made.cert.pem(), &key).unwrap();
        let rows: [(&str, u16, &str, Option<&str>); 22] = [
            (
                "play.example.com",
                443,
                "/a?b=c",
                Some("https://play.example.com/a?b=c"),
            ),
            (
                "PLAY.example.com:80",
                443,
                "/",
                Some("https://PLAY.example.com/"),
            ),
            (
                "play.example.com",
                8443,
                "/",
                Some("https://play.example.com:8443/"),
            ),
            (
                "a.cdn.example.com",
                443,
                "//evil.com",
                Some("https://a.cdn.example.com//evil.com"),
            ),
            ("192.0.2.1:80", 443, "/", Some("https://192.0.2.1/")),
            ("[2001:db8::1]:80", 443, "/", Some("https://[2001:db8::1]/")),
            ("evil.com", 443, "/", None),
            ("play.example.com.evil.com", 443, "/", None),
            ("play.example.com@evil.com", 443, "/", None),
            ("play.example.com:80@evil.com", 443, "/", None),
            ("play.example.com:@evil.com", 443, "/", None),
            ("play.example.com/", 443, "/", None),
            ("play.example.com?", 443, "/", None),
            ("play.example.com#", 443, "/", None),
            ("evil.com\\play.example.com", 443, "/", None),
            ("play.example.com evil.com", 443, "/", None),
            ("*.cdn.example.com", 443, "/", None),
            ("192.0.2.2", 443, "/", None),
            ("[2001:db8::2]", 443, "/", None),
            ("[2001:db8::1", 443, "/", None),
            ("[2001:db8::1]evil.com", 443, "/", None),
            ("", 443, "/", None),
        ];
        for (host, port, path, expected) in rows {
            let request = Request::builder().uri(path).header(HOST, host).body(());
            let response = answer(&tls.certificate, port, &request.unwrap());
            let location = response.headers().get(LOCATION);
            assert_eq!(location.map(|to| to.to_str().unwrap()), expected, "{host}");
            assert_eq!(response.status() == 308, expected.is_some(), "{host}");
        }
        let star = Request::options("*")
            .header(HOST, "play.example.com")
            .body(());
        assert_eq!(answer(&tls.certificate, 443, &star.unwrap()).status(), 400);
    }
}
