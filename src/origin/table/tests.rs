//! What selects an origin, what does not, and what is dialled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn origins() -> Origins {
    Origins::new(&[
        OriginConfig {
            aliases: vec!["rtmp://ingest.example.test/splay".to_owned()],
            element: SourceElement::RtmpSrc,
            ..OriginConfig::new("main", "rtmp://127.0.0.1/live")
        },
        OriginConfig {
            ..OriginConfig::new("other", "rtmps://Other.Example.test:8443/a/b/")
        },
    ])
    .unwrap()
}

fn selected(url: &str) -> Option<String> {
    origins().select(url).map(|name| name.to_string())
}

#[test]
fn a_url_selects_by_scheme_host_port_and_application() {
    for (url, name) in [
        ("rtmp://127.0.0.1/live", "main"),
        ("rtmp://127.0.0.1:1935/live", "main"),
        ("rtmp://127.0.0.1/live/", "main"),
        ("RTMP://127.0.0.1/live", "main"),
        ("rtmp://INGEST.example.test./splay", "main"),
        ("rtmps://other.example.test:8443/a/b", "other"),
        ("rtmp://127.0.0.1/x/../live", "main"),
    ] {
        assert_eq!(selected(url).as_deref(), Some(name), "{url}");
    }
}

#[test]
fn anything_else_selects_nothing() {
    for url in [
        "",
        "live",
        "rtmp:/127.0.0.1/live",
        "rtmp:127.0.0.1/live",
        "rtmp://127.0.0.1",
        "rtmp://127.0.0.1/",
        "rtmp://127.0.0.1/LIVE",
        "rtmp://127.0.0.1/live/x",
        "rtmp://127.0.0.1//live",
        "rtmp://127.0.0.1/live//",
        "rtmp://127.0.0.1/%6cive",
        "rtmp://127.0.0.1:1936/live",
        "rtmp://127.0.0.1:99999/live",
        "rtmp://127.0.0.2/live",
        "rtmps://127.0.0.1/live",
        "http://127.0.0.1/live",
        "rtmp://127.0.0.1/live?x=y",
        "rtmp://127.0.0.1/live?",
        "rtmp://127.0.0.1/live#x",
        "rtmp://user@127.0.0.1/live",
        "rtmp://user:word@127.0.0.1/live",
        "rtmp://@127.0.0.1/live",
        "rtmp://evil.test@127.0.0.1/live",
        "rtmp://127.0.0.1@evil.test/live",
        "rtmp://127.0.0.1.evil.test/live",
        "rtmp://127.0.0.1/live socks=evil.test:9",
        " rtmp://127.0.0.1/live",
        "rtmp://127.0.0.1/live\t",
        "rtmp://127.0.0.1/li\nve",
        "rtmp:\\\\127.0.0.1\\live",
        "rtmp://127.0.0.1/live\0",
        "rtmp://127.0.0.1%20/live",
        "rtmp://ingest.example.test/spläy",
    ] {
        assert_eq!(selected(url), None, "{url:?}");
    }
    let long = format!("rtmp://127.0.0.1/{}", "x/../".repeat(1000));
    assert_eq!(selected(&format!("{long}live")), None);
}

#[test]
fn the_location_is_the_operators_url_and_the_name() {
    let origins = origins();
    let stream = StreamName::parse("ABCDE-demo_1").unwrap();
    let location = |url| {
        let name = origins.select(url).unwrap();
        origins.location(&name, &stream).unwrap().to_string()
    };
    // An alias is never dialled.
    assert_eq!(
        location("rtmp://ingest.example.test/splay"),
        "rtmp://127.0.0.1:1935/live/ABCDE-demo_1 live=1"
    );
    assert_eq!(
        location("rtmps://other.example.test:8443/a/b"),
        "rtmps://other.example.test:8443/a/b/ABCDE-demo_1"
    );
}

#[test]
fn a_name_that_would_add_options_is_no_stream_name() {
    for name in [
        "ABCDE-x socks=127.0.0.1:9",
        "ABCDE-x playpath=other",
        "ABCDE-x%20playpath=other",
        "ABCDE-x+playpath=other",
        "ABCDE-x\tlive=0",
        "ABCDE-x\nlive=0",
        "ABCDE-x\0",
        "ABCDE-x=y",
        "ABCDE-x?a=b",
        "ABCDE-x/../other",
        "ABCDE-\"x\"",
        "ABCDE-x\u{a0}socks=127.0.0.1:9",
    ] {
        assert!(StreamName::parse(name).is_err(), "{name:?}");
    }
}

#[test]
fn an_operators_url_that_would_add_options_is_refused() {
    for url in [
        "rtmp://127.0.0.1/live socks=127.0.0.1:9",
        "rtmp://127.0.0.1/live%20socks=127.0.0.1:9",
        "rtmp://127.0.0.1/live playpath=other",
        "rtmp://127.0.0.1/live\tlive=0",
        "rtmp://127.0.0.1/\"live\"",
        "rtmp://127.0.0.1/'live'",
        "rtmp://127.0.0.1/live\\x",
        "rtmp://user:word@127.0.0.1/live",
        "rtmp://127.0.0.1/live?key=word",
        "rtmp://127.0.0.1/a/b/c",
        "rtmp://127.0.0.1",
        "http://127.0.0.1/live",
    ] {
        let error = Origins::new(&[OriginConfig::new("main", url)]).unwrap_err();
        assert!(matches!(error, OriginError::Url { .. }), "{url:?}: {error}");
        let config = OriginConfig {
            aliases: vec![url.to_owned()],
            ..OriginConfig::new("main", "rtmp://127.0.0.1/live")
        };
        assert!(Origins::new(&[config]).is_err(), "{url:?} as an alias");
    }
}

#[test]
fn names_and_urls_lead_to_one_origin() {
    let main = OriginConfig::new("main", "rtmp://127.0.0.1/live");
    let same_name = OriginConfig::new("main", "rtmp://127.0.0.1/other");
    let same_url = OriginConfig::new("b", "rtmp://127.0.0.1:1935/live/");
    let error = Origins::new(&[main.clone(), same_name]).unwrap_err();
    assert_eq!(error, OriginError::Name("main".to_owned()));
    let error = Origins::new(&[main.clone(), same_url]).unwrap_err();
    assert!(matches!(error, OriginError::Twice { .. }), "{error}");
    let hasty = OriginConfig {
        timeout: Duration::from_millis(999),
        ..main
    };
    let error = Origins::new(&[hasty]).unwrap_err();
    assert_eq!(error, OriginError::Timeout("main".to_owned()));
}

#[test]
fn a_stream_is_played_from_where_its_organisation_may() {
    let orga = |text| Orga::parse(text).unwrap();
    let origins = Origins::new(&[
        OriginConfig {
            organisations: vec![orga("ONE"), orga("TWO")],
            ..OriginConfig::new("theirs", "rtmp://theirs.example.test/live")
        },
        OriginConfig::new("all", "rtmp://all.example.test/live"),
        OriginConfig {
            organisations: vec![orga("ONE")],
            ..OriginConfig::new("last", "rtmp://last.example.test/live")
        },
    ])
    .unwrap();
    let rows = [
        ("ONE", None, Some("theirs")),
        ("TWO", None, Some("theirs")),
        ("THREE", None, Some("all")),
        ("ON", None, Some("all")),
        ("one", None, Some("all")),
        ("ONE", Some("last"), Some("last")),
        ("TWO", Some("last"), None),
        ("THREE", Some("theirs"), None),
        ("THREE", Some("all"), Some("all")),
        ("ONE", Some("none"), None),
    ];
    for (name, host, expected) in rows {
        let url = host.map(|host| format!("rtmp://{host}.example.test/live"));
        let chosen = origins.choose(url.as_deref(), &orga(name));
        let chosen = chosen.map(|name| name.to_string());
        assert_eq!(chosen.as_deref(), expected, "{name} {url:?}");
    }
    assert_eq!(Origins::default().choose(None, &orga("ONE")), None);
}
