#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::origin::SourceElement;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/h5live"))
}

#[test]
fn nothing_written_gives_the_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.listen, "127.0.0.1:8180".parse().unwrap());
    assert_eq!(config.transport, Transport::Plain);
    assert_eq!(
        config.records,
        RecordsLocation::Sqlite("/etc/h5live/h5live.sqlite".into())
    );
    assert!(config.page_origins.is_empty());
    assert!(
        !config
            .trusted_proxies
            .contains(IpAddr::from([127, 0, 0, 1]))
    );
    assert_eq!(config.clock_skew_seconds, 0);
    assert_eq!(config.limits, Limits::default());
    assert!(config.origins.is_empty());
}

#[test]
fn the_example_shows_every_key_and_its_default() {
    let example = include_str!("../../examples/h5live.toml");
    let mut config = parse(example).unwrap();
    let origin = config.origins.remove(0);
    assert_eq!(config, parse("").unwrap());
    let brief =
        parse("[[origins]]\nname = \"main\"\nurl = \"rtmp://127.0.0.1:1935/live\"").unwrap();
    let brief = brief.origins.into_iter().next().unwrap();
    assert_eq!(
        OriginConfig {
            aliases: Vec::new(),
            ..origin
        },
        brief
    );
    for key in known_keys() {
        let shown = [format!("{key} = "), format!(".{key}]]")];
        assert!(
            shown.iter().any(|shown| example.contains(shown)),
            "{key} is not shown"
        );
    }
}

/// The keys that the reader asks for, by its own word.
fn known_keys() -> Vec<String> {
    let origin = "[[origins]]\nname = \"a\"\nurl = \"rtmp://h/a\"\nx = 1";
    let mut keys = Vec::new();
    let embedded = "[origin.embedded]\nx = 1";
    let sections = [
        "[server]\nx = 1",
        "[tls]\nx = 1",
        "[metrics]\nx = 1",
        "[console]\nx = 1",
        "[limits]\nx = 1",
        "[verify]\nx = 1",
    ];
    for text in sections.into_iter().chain([origin, embedded]) {
        let Err(ConfigError::UnknownKey { known, .. }) = parse(text) else {
            panic!("{text}")
        };
        keys.extend(known.split(", ").map(str::to_owned));
    }
    keys
}

#[test]
fn every_refusal_names_the_key() {
    let origin = |line: &str| format!("[[origins]]\nname = \"a\"\nurl = \"rtmp://h/a\"\n{line}");
    let rows: &[(&str, &str)] = &[
        (
            "[server]\nlistn = \"x\"",
            "server.listn: unknown key. Known here: listen,",
        ),
        ("[sever]", "sever: unknown key"),
        (
            "[limits]\nmax-conections = 1",
            "limits.max-conections: unknown key",
        ),
        ("[tls]\ncert = \"a\"", "tls.cert: unknown key"),
        ("listen = \"127.0.0.1:1\"", "listen: unknown key"),
        (&origin("timeot = \"3s\""), "origins[0].timeot: unknown key"),
        (
            "[server]\nlisten = \"localhost\"",
            "server.listen: \"localhost\" is not an address",
        ),
        (
            "[server]\nlisten = 8180",
            "server.listen: is of type integer, expected a string",
        ),
        (
            "[server]\nlisten = \"0.0.0.0:80\"",
            "server.listen: 0.0.0.0:80 is not a loopback",
        ),
        (
            "[server]\nrecords = \"postgres://u:p@h\"",
            "server.records: this URL names no database",
        ),
        (
            "[server]\nrecords-password-file = \"p\"",
            "server.records-password-file: is for PostgreSQL",
        ),
        (
            "[server]\nrecords = \"postgres://u:p@h/db\"\nrecords-password-file = \"p\"",
            "server.records-password-file: is given beside a password",
        ),
        (
            "[server]\nopen-streams = [\"PUBLIC-*\", \"*\"]",
            "server.open-streams[1]: \"*\"",
        ),
        (
            "[verify]\nuri-header = \"X Y\"",
            "verify.uri-header: \"X Y\" is not a header",
        ),
        (
            "[server]\nrecords = \"mysql://h/db\"",
            "server.records: this kind of URL",
        ),
        (
            "[server]\nrecords = \":memory:\"",
            "server.records: this is not the path",
        ),
        (
            "[server]\ntrusted-proxies = [\"10.0.0.0/8\", \"all\"]",
            "server.trusted-proxies[1]: \"all\"",
        ),
        (
            "[server]\ntrusted-proxies = [\"10.0.0.1/8\"]",
            "server.trusted-proxies[0]: \"10.0.0.1/8\" has bits",
        ),
        (
            "[server]\npage-origins = [\"https://a.example/x\"]",
            "server.page-origins[0]: \"https://a.example/x\"",
        ),
        (
            "[server]\npage-origins = [\"*\", \"https://a.example\"]",
            "server.page-origins: \"*\" allows",
        ),
        (
            "[server]\npage-origins = []",
            "server.page-origins: an empty list",
        ),
        (
            "[server]\nclock-skew = \"1500ms\"",
            "server.clock-skew: must be whole seconds",
        ),
        (
            "[server]\non-expiry = \"cut\"",
            "server.on-expiry: \"cut\" is not known",
        ),
        (
            "[server]\nio-uring = \"on\"",
            "server.io-uring: \"on\" is not known",
        ),
        (
            "[server]\nclock-skew = \"1h\"",
            "server.clock-skew: \"1h\" is out of range",
        ),
        (
            "[server]\nclock-skew = 3",
            "server.clock-skew: is of type integer",
        ),
        (
            "[server]\nplain-http = true\n[tls]\nself-signed = true",
            "server.plain-http: is true, but",
        ),
        ("[tls]\ncertificate = \"a\"", "tls.key: is missing"),
        ("[tls]\nkey = \"a\"", "tls.certificate: is missing"),
        (
            "[tls]\nkey = \"a\"\ncertificate = \"b\"\nself-signed = true",
            "tls.self-signed: a certificate file",
        ),
        (
            "[tls]\nredirect = \"0.0.0.0:80\"",
            "tls.redirect: goes with HTTPS only",
        ),
        ("[tls]\nhsts = \"1y\"", "tls.hsts: goes with HTTPS only"),
        (
            "[tls]\nself-signed = true\nredirect = \"80\"",
            "tls.redirect: \"80\" is not an address",
        ),
        (
            "[tls]\nself-signed = true\nredirect = \"127.0.0.1:8180\"",
            "tls.redirect: is server.listen itself",
        ),
        (
            "[metrics]\nlisten = \"127.0.0.1:8180\"",
            "metrics.listen: is taken by another listener",
        ),
        (
            "[server]\nproxy-protocol = true",
            "server.proxy-protocol: is true, but server.trusted-proxies names nobody",
        ),
        (
            "[limits]\nmax-http2-streams = 0",
            "limits.max-http2-streams: 0 is out of range",
        ),
        (
            "[limits]\nmax-viewers = 0",
            "limits.max-viewers: 0 is out of range",
        ),
        (
            "[limits]\nmax-viewers = -1",
            "limits.max-viewers: -1 is out of range",
        ),
        (
            "[limits]\nlinger = \"soon\"",
            "limits.linger: \"soon\" is not a length of time",
        ),
        ("limits = 3", "limits: is of type integer, expected a table"),
        (
            "[[origins]]\nurl = \"rtmp://h/a\"",
            "origins[0].name: is missing",
        ),
        ("[[origins]]\nname = \"a\"", "origins[0].url: is missing"),
        (
            "[[origins]]\nname = \"A b\"\nurl = \"rtmp://h/a\"",
            "origins[0].name: must be",
        ),
        (
            &origin("element = \"urisourcebin\""),
            "origins[0].element: \"urisourcebin\"",
        ),
        (
            &origin("timeout = \"0s\""),
            "origins[0].timeout: \"0s\" is out of range",
        ),
        (
            &origin("aliases = [\"rtmp://h/a\"]"),
            "origins: origin a: \"rtmp://h/a\" leads to two origins",
        ),
        (
            &origin("aliases = [\"rtmp://H:1935/a/\"]"),
            "origins: origin a: \"rtmp://H:1935/a/\" leads to two origins",
        ),
        (
            "[[origins]]\nname = \"a\"\nurl = \"rtmp://h/a\"\n[[origins]]\nname = \"a\"\nurl = \"rtmp://h/b\"",
            "origins: two origins are called a",
        ),
        (
            "[origin.embedded]\nlisten = \"127.0.0.1:1935\"\n[[origins]]\nname = \"a\"\nurl = \"rtmp://127.0.0.1/live\"",
            "origins: origin embedded: \"rtmp://127.0.0.1:1935/live\" leads to two origins",
        ),
        (
            "[origin.embedded]\nlisten = \"1935\"",
            "origin.embedded.listen: \"1935\" is not an address",
        ),
        (
            "[origin.embedded]\napplication = \"a/b\"",
            "origin.embedded.application: \"a/b\" is no application",
        ),
        (
            "[[origin.embedded.streams]]\nname = \"demo\"",
            "origin.embedded.streams[0].name: ",
        ),
        (
            "[[origin.embedded.streams]]\nname = \"ABCDE-demo\"",
            "origin.embedded.streams[0].key-file: is missing",
        ),
        (
            "[[origin.embedded.streams]]\nname = \"ABCDE-demo\"\nkey-file = \"/nowhere\"",
            "origin.embedded.streams[0].key-file: /nowhere: can't be read",
        ),
        ("[server", "line 1: this is not TOML"),
        (
            "\n\n[server]\nlisten = \"a\"\nlisten = \"b\"",
            "line 5: this is not TOML",
        ),
    ];
    for (text, expected) in rows {
        let message = parse(text).expect_err(text).to_string();
        assert!(
            message.starts_with(expected),
            "{text:?}\n gave {message:?}\n not {expected:?}"
        );
    }
}

#[test]
fn no_refusal_shows_a_password_or_a_foreign_file() {
    let message = parse("[server]\nrecords = \"postgres://u:sesame@h/db?x=sesame\"")
        .unwrap_err()
        .to_string();
    assert!(!message.contains("sesame"), "{message}");
    for text in ["the secret of ABCDE-demo", "sesame=", "\"sesame", "sesame"] {
        let message = parse(text).unwrap_err().to_string();
        assert!(
            !message.contains("secret") && !message.contains("sesame"),
            "{message}"
        );
    }
}

#[test]
fn a_databases_password_is_not_shown() {
    let config = parse("[server]\nrecords = \"postgres://u:sesame@h/db\"").unwrap();
    assert!(!format!("{config:?}").contains("sesame"));
    let config = parse(
        "[server]\nrecords = \"postgres://u@h/db\"\nrecords-password-file = \"p\"\n\
         master-key-file = \"m\"",
    )
    .unwrap();
    let RecordsLocation::Postgres { password_file, .. } = config.records else {
        panic!("not PostgreSQL")
    };
    assert_eq!(password_file, Some("/etc/h5live/p".into()));
    assert_eq!(config.master_key_file, Some("/etc/h5live/m".into()));
}

#[test]
fn an_origins_url_cannot_smuggle_options_to_librtmp() {
    for url in [
        "rtmp://h/a socks=127.0.0.1:9",
        "rtmp://h/a\tlive=1",
        "rtmp://h/a=b",
        "rtmp://h/a\\20b",
        "rtmp://user:word@h/a",
        "rtmp://h/a?b",
        "rtmp://h/a#b",
        "rtmp://h/",
        "rtmp:///a",
        "http://h/a",
        "file:///a",
        "h/a",
    ] {
        let text = format!("[[origins]]\nname = \"a\"\nurl = '{url}'");
        let message = parse(&text).expect_err(url).to_string();
        assert!(
            message.starts_with("origins[0].url: this URL"),
            "{url}: {message}"
        );
    }
}

#[test]
fn what_is_written_is_what_is_resolved() {
    let config = parse(
        "[server]\nlisten = \"[::]:443\"\nrecords = \"sqlite:///var/h5live.sqlite\"\n\
         trusted-proxies = [\"10.0.0.0/8\", \"2001:db8::/32\"]\n\
         page-origins = [\"https://WWW.example.com:443\", \"http://localhost:8181\"]\nclock-skew = \"2s\"\n\
         [tls]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n[limits]\nlinger = \"1m 30s\"\n\
         [[origins]]\nname = \"a\"\nurl = \"rtmps://h:443/a/b\"\nelement = \"rtmp2src\"",
    )
    .unwrap();
    let (certificate, key) = ("/etc/h5live/c.pem".into(), "/k.pem".into());
    assert_eq!(config.transport, Transport::TlsFiles { certificate, key });
    assert_eq!(
        config.records,
        RecordsLocation::Sqlite("/var/h5live.sqlite".into())
    );
    assert!(
        config
            .trusted_proxies
            .contains("10.255.0.1".parse().unwrap())
    );
    assert_eq!(
        config.page_origins,
        ["https://www.example.com", "http://localhost:8181"]
    );
    assert_eq!(config.clock_skew_seconds, 2);
    assert_eq!(config.limits.linger, Duration::from_secs(90));
    assert_eq!(config.origins[0].element, SourceElement::Rtmp2Src);
    let open = parse("[server]\nlisten = \"0.0.0.0:80\"\nplain-http = true").unwrap();
    assert_eq!(open.transport, Transport::Plain);
}

#[test]
fn a_range_holds_its_addresses_and_no_other() {
    let rows: &[(&str, &str, bool)] = &[
        ("10.0.0.0/8", "10.1.2.3", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("10.0.0.0/8", "::10.1.2.3", false),
        ("0.0.0.0/0", "255.255.255.255", true),
        ("0.0.0.0/0", "::1", false),
        ("::/0", "2001:db8::1", true),
        ("::1/128", "::1", true),
        ("::1/128", "::2", false),
        ("::ffff:0:0/96", "192.0.2.1", true),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.6", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false),
    ];
    for (network, address, expected) in rows {
        let contains = Network::parse(network)
            .unwrap()
            .contains(address.parse().unwrap());
        assert_eq!(contains, *expected, "{network} and {address}");
    }
    for text in [
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "::/129",
        "10.0.0/8",
        "fe80::1%1/128",
    ] {
        assert!(Network::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_self_signed_certificate_is_pem_and_its_key_is_not_shown() {
    let made = SelfSigned::make("192.0.2.1".parse().unwrap()).unwrap();
    assert!(made.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(made.key.contains("PRIVATE KEY-----"));
    assert!(!format!("{made:?}").contains("PRIVATE"));
}
