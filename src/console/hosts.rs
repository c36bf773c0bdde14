//! From where a browser may ask: which `Host` is ours, and which `Origin` is that of our own pages.
//!
//! A page of another site can't read what we answer, unless its name is made to lead to our address (DNS
//! rebinding). The browser then still sends that name as `Host`.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};

use crate::http::facts::only;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names that lead to us.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Where we listen.
    pub address: Option<IpAddr>,
    /// By the operator's word, lower case.
    pub names: Vec<String>,
}

impl Hosts {
    /// The request's host with its port, where it is one of ours.
    pub fn host<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let host = only(headers, &HOST)?;
        self.has(name_of(host)?).then_some(host)
    }

    fn has(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let own = bare.parse::<IpAddr>().is_ok_and(|address| {
            address.to_canonical().is_loopback() || self.address == Some(address)
        });
        own || name == "localhost" || self.names.contains(&name)
    }
}

/// Whether a request that changes something comes from a page of ours. All browsers of today send
/// `Origin` with a POST.
pub fn is_from_own_page(headers: &HeaderMap, host: &str) -> bool {
    let origin = only(headers, &ORIGIN).and_then(|origin| {
        let secure = origin.strip_prefix("https://");
        secure.or_else(|| origin.strip_prefix("http://"))
    });
    origin.is_some_and(|own| own.eq_ignore_ascii_case(host))
}

/// Whether a browser says that another site's page asks (Fetch Metadata). Older ones say nothing.
pub fn is_from_another_site(headers: &HeaderMap) -> bool {
    headers.contains_key(FETCH_SITE)
        && !matches!(only(headers, &FETCH_SITE), Some("same-origin" | "none"))
}

/// A host without its port.
fn name_of(host: &str) -> Option<&str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    // What is left with a colon must be an IPv6 address in its brackets.
    let bracketed = name.starts_with('[') && name.ends_with(']');
    (bracketed || !name.contains(':')).then_some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_host_is_ours_or_it_is_not() {
        let hosts = Hosts {
            address: Some(IpAddr::from([192, 0, 2, 7])),
            names: vec!["console.example.com".to_owned()],
        };
        let rows = [
            ("127.0.0.1:8190", true),
            ("127.9.9.9", true),
            ("localhost:8190", true),
            ("LOCALHOST", true),
            ("[::1]:8190", true),
            ("[::1]", true),
            ("192.0.2.7:8190", true),
            ("console.example.com", true),
            ("Console.Example.com:443", true),
            ("192.0.2.8", false),
            ("example.com", false),
            ("console.example.com.evil.test", false),
            ("evil.test:8190", false),
            ("localhost.evil.test", false),
            ("127.0.0.1.evil.test", false),
            ("::1", false),
            ("127.0.0.1:80:80", false),
            ("", false),
        ];
        for (host, ours) in rows {
            assert_eq!(hosts.host(&with(HOST, host)).is_some(), ours, "{host}");
        }
        assert!(hosts.host(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_page_is_ours_or_it_is_not() {
        let rows = [
            ("http://127.0.0.1:8190", true),
            ("https://127.0.0.1:8190", true),
            ("http://127.0.0.1:8180", false),
            ("http://127.0.0.1", false),
            ("http://evil.test", false),
            ("http://127.0.0.1:8190.evil.test", false),
            ("null", false),
            ("127.0.0.1:8190", false),
        ];
        for (origin, ours) in rows {
            let headers = with(ORIGIN, origin);
            assert_eq!(
                is_from_own_page(&headers, "127.0.0.1:8190"),
                ours,
                "{origin}"
            );
        }
        assert!(!is_from_own_page(&HeaderMap::new(), "127.0.0.1:8190"));
        for (site, other) in [
            ("same-origin", false),
            ("none", false),
            ("same-site", true),
            ("cross-site", true),
        ] {
            assert_eq!(is_from_another_site(&with(FETCH_SITE, site)), other);
        }
        assert!(!is_from_another_site(&HeaderMap::new()));
    }
}
