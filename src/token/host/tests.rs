#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

#[test]
fn the_host_of_a_header_is_what_the_browser_connected_to() {
    let rows: &[(&str, &str, Option<&str>)] = &[
        (
            "plain origin",
            "https://demo.example.de",
            Some("demo.example.de"),
        ),
        (
            "plain http",
            "http://demo.example.de",
            Some("demo.example.de"),
        ),
        (
            "referer with a path",
            "https://demo.example.de/page.html",
            Some("demo.example.de"),
        ),
        (
            "upper case",
            "HTTPS://DEMO.Example.DE/",
            Some("demo.example.de"),
        ),
        (
            "port",
            "https://demo.example.de:8443",
            Some("demo.example.de"),
        ),
        (
            "trailing dot",
            "https://demo.example.de./",
            Some("demo.example.de"),
        ),
        ("two trailing dots", "https://demo.example.de../", None),
        (
            "backslash in the query",
            "https://evil.com/?\\@demo.example.de",
            Some("evil.com"),
        ),
        (
            "punycode",
            "https://xn--bcher-kva.example",
            Some("xn--bcher-kva.example"),
        ),
        (
            "script outside ASCII",
            "https://bücher.example",
            Some("xn--bcher-kva.example"),
        ),
        (
            "evil suffix",
            "https://demo.example.de.evil.com",
            Some("demo.example.de.evil.com"),
        ),
        (
            "evil prefix",
            "https://evil-demo.example.de",
            Some("evil-demo.example.de"),
        ),
        (
            "userinfo",
            "https://demo.example.de@evil.com",
            Some("evil.com"),
        ),
        (
            "userinfo with a password",
            "https://demo.example.de:443@evil.com/",
            Some("evil.com"),
        ),
        (
            "query",
            "http://evil.com/?demo.example.de",
            Some("evil.com"),
        ),
        (
            "query without a path",
            "http://evil.com?demo.example.de",
            Some("evil.com"),
        ),
        (
            "fragment",
            "http://evil.com#demo.example.de",
            Some("evil.com"),
        ),
        ("path", "http://evil.com/demo.example.de", Some("evil.com")),
        ("address", "http://192.0.2.7:8080", Some("192.0.2.7")),
        (
            "IPv6 address",
            "http://[2001:db8::7]:8080",
            Some("[2001:db8::7]"),
        ),
        ("opaque origin", "null", None),
        ("missing", "", None),
        ("bare name", "demo.example.de", None),
        ("file", "file:///demo.example.de/page.html", None),
        ("file with a host", "file://demo.example.de/page.html", None),
        ("data", "data:text/html,https://demo.example.de", None),
        ("blob", "blob:https://demo.example.de/1", None),
        ("about", "about:blank", None),
        ("javascript", "javascript://demo.example.de/", None),
        ("websocket", "wss://demo.example.de", None),
        ("extension", "chrome-extension://demo.example.de", None),
        ("no host", "https://", None),
        ("only a dot", "https://.", None),
        ("backslash", "https://evil.com\\@demo.example.de", None),
        ("tab in the host", "https://demo.exam\tple.de", None),
        ("leading space", " https://demo.example.de", None),
        (
            "two values in one header",
            "https://demo.example.de, https://evil.com",
            None,
        ),
        (
            "two origins",
            "https://evil.com https://demo.example.de",
            None,
        ),
        ("NUL", "https://demo.example.de\0.evil.com", None),
        ("encoded slash", "https://evil.com%2f.demo.example.de", None),
        ("bad port", "https://demo.example.de:99999", None),
    ];
    for (row, header, host) in rows {
        assert_eq!(
            Host::of_url(header).as_ref().map(Host::as_str),
            *host,
            "{row}"
        );
    }
}

#[test]
fn a_host_too_long_for_a_name_is_none() {
    let label = "a".repeat(63);
    let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(name.len(), 253);
    assert_eq!(
        Host::of_url(&format!("https://{name}")),
        Some(Host::bare(&name).unwrap())
    );
    assert_eq!(Host::of_url(&format!("https://{name}a")), None);
    assert_eq!(Host::bare(&format!("{name}a")), Err(HostError::Length(254)));
}

#[test]
fn bare_names_are_normalised() {
    let rows = [
        ("demo.example.de", "demo.example.de"),
        ("DEMO.Example.DE", "demo.example.de"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("a-b.c3", "a-b.c3"),
        ("123.example", "123.example"),
    ];
    for (text, host) in rows {
        assert_eq!(Host::bare(text).unwrap().as_str(), host);
        assert_eq!(
            Host::of_url(&format!("https://{text}:1/x")),
            Host::bare(text).ok()
        );
    }
}

#[test]
fn what_is_no_bare_name_is_told_precisely() {
    let rows = [
        ("", HostError::Empty),
        ("https://demo.example.de", HostError::Protocol),
        ("https://demo.example.de/", HostError::Protocol),
        ("https:demo.example.de", HostError::Protocol),
        ("demo.example.de/", HostError::Path),
        ("demo.example.de/page", HostError::Path),
        ("//demo.example.de", HostError::Path),
        ("demo.example.de?x", HostError::Path),
        ("demo.example.de#x", HostError::Path),
        ("demo.example.de\\x", HostError::Path),
        ("demo.example.de:443", HostError::Port),
        ("user@demo.example.de", HostError::Character),
        ("demo example.de", HostError::Character),
        ("demo_1.example.de", HostError::Character),
        ("*.example.de", HostError::Character),
        ("bücher.example", HostError::Character),
        ("demo.example.de\n", HostError::Character),
        ("demo.example.de%2e", HostError::Character),
        ("demo.example.de.", HostError::Label),
        (".example.de", HostError::Label),
        ("demo..de", HostError::Label),
        (".", HostError::Label),
        ("xn--a.example", HostError::Label),
        ("192.0.2.7", HostError::TopLevel),
        ("example.123", HostError::TopLevel),
        ("example.0x7f", HostError::TopLevel),
        ("12345", HostError::TopLevel),
    ];
    for (text, error) in rows {
        assert_eq!(Host::bare(text), Err(error), "{text:?}");
    }
    assert_eq!(
        Host::bare(&format!("{}.de", "a".repeat(64))),
        Err(HostError::Label)
    );
}
