//! Attacks on what a token is bound to by the connection: the client's address and the page. Each is
//! refused before a byte is sent, and the origin hears of none of them.
//!
//! Elsewhere: the same rules as pure functions (`src/http/client_address.rs`, `src/token/host`,
//! `src/token/verify`), what a token is bound to by its parameters (`attacks_scope.rs`). Not covered:
//! peers by IPv6, as not every machine that runs this has it; the forwarded ones are.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod support;

use std::net::Ipv4Addr;

use attacks::{Attempt, Doors, INVALID, PLAY, Ticket, claims};
use h5live::token::{Claims, Host};
use serde_json::{Value, json};
use support::raw::{Raw, Table, masked, upgrade};
use support::server::{Options, Server};

const ANYONE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const VIEWER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The operator's own.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const PROXIES: &str = "trusted-proxies = [\"127.0.0.3\", \"127.0.0.4/32\"]\n";

fn bound_to(ip: &str) -> Ticket {
    Ticket::new(&Claims {
        ip: Some(ip.parse().unwrap()),
        ..claims()
    })
}

fn bound_to_page(host: &str) -> Ticket {
    Ticket::new(&Claims {
        referer: Some(Host::bare(host).unwrap()),
        ..claims()
    })
}

#[test]
fn a_token_for_an_address_is_good_from_there_only() {
    let viewer = bound_to("127.0.0.2");
    let far = bound_to("203.0.113.9");
    let local = bound_to("fe80::1");
    let mut attempts: Vec<Attempt> = vec![
        viewer.attempt_from(VIEWER, "its address", "", PLAY),
        viewer.attempt_from(ANYONE, "another address", "", INVALID),
        viewer.attempt_from(PROXY, "a proxy that forwards nothing", "", INVALID),
        bound_to("::ffff:127.0.0.2").attempt_from(VIEWER, "mapped when minted", "", PLAY),
        bound_to("::1").attempt_from(ANYONE, "the other loopback", "", INVALID),
        bound_to("::127.0.0.1").attempt_from(ANYONE, "compatible, not mapped", "", INVALID),
        bound_to("0.0.0.0").attempt_from(ANYONE, "no address is not any", "", INVALID),
    ];

    // Nobody who is not the operator's proxy can say who he is, or is not.
    let claimed = [
        "X-Forwarded-For: 127.0.0.2",
        "X-Forwarded-For: 127.0.0.2, 127.0.0.3",
        "x-forwarded-for: ::ffff:127.0.0.2",
        "X-Real-IP: 127.0.0.2",
        "Forwarded: for=127.0.0.2",
        "Forwarded: for=\"127.0.0.2\";by=127.0.0.3;proto=https",
        "X-Forwarded: 127.0.0.2",
        "Forwarded-For: 127.0.0.2",
        "Client-IP: 127.0.0.2",
        "X-Client-IP: 127.0.0.2",
        "X-Cluster-Client-IP: 127.0.0.2",
        "X-Original-Forwarded-For: 127.0.0.2",
        "X-ProxyUser-Ip: 127.0.0.2",
        "True-Client-IP: 127.0.0.2",
        "CF-Connecting-IP: 127.0.0.2",
        "Fastly-Client-IP: 127.0.0.2",
        "Via: 1.1 127.0.0.2",
    ];
    for line in claimed {
        let line = format!("{line}\r\n");
        attempts.push(viewer.attempt_from(ANYONE, &line, &line, INVALID));
    }
    let all = claimed.join("\r\n") + "\r\n";
    attempts.push(viewer.attempt_from(ANYONE, "all of them", &all, INVALID));
    let other = all.replace("127.0.0.2", "203.0.113.9");
    attempts.push(viewer.attempt_from(VIEWER, "all of another", &other, PLAY));
    let query = viewer.with(|ticket| ticket.more = "&ip=127.0.0.2&client=127.0.0.2".into());
    attempts.push(query.attempt_from(ANYONE, "in the query", "", INVALID));

    // The operator's proxy says who: the right-most that is not one of the operator's.
    let forwarded: &[(&str, &[&str], &'static str)] = &[
        ("one", &["203.0.113.9"], PLAY),
        ("without spaces", &["198.51.100.7,203.0.113.9"], PLAY),
        (
            "what the client forged stands left",
            &["198.51.100.7, 203.0.113.9"],
            PLAY,
        ),
        ("through two proxies", &["203.0.113.9, 127.0.0.4"], PLAY),
        ("in two headers", &["198.51.100.7", "203.0.113.9"], PLAY),
        ("mapped", &["::ffff:203.0.113.9"], PLAY),
        ("mapped, in hexadecimal", &["::ffff:cb00:7109"], PLAY),
        (
            "forged, left of the client",
            &["203.0.113.9, 198.51.100.7"],
            INVALID,
        ),
        (
            "forged, in a header before the client's",
            &["203.0.113.9", "198.51.100.7"],
            INVALID,
        ),
        (
            "forged, left of client and proxy",
            &["203.0.113.9, 198.51.100.7, 127.0.0.4"],
            INVALID,
        ),
        (
            "forged, left of a proxy of the client's",
            &["203.0.113.9, 127.0.0.5"],
            INVALID,
        ),
        ("left of garbage", &["203.0.113.9, x"], INVALID),
        ("left of nothing", &["203.0.113.9,"], INVALID),
        (
            "left of nothing, in two headers",
            &["203.0.113.9", ""],
            INVALID,
        ),
        ("unknown", &["unknown"], INVALID),
        ("with a port", &["203.0.113.9:80"], INVALID),
        ("in brackets", &["[::ffff:203.0.113.9]"], INVALID),
        ("in quotes", &["\"203.0.113.9\""], INVALID),
        ("with a leading zero", &["203.0.113.09"], INVALID),
        ("as one number", &["3405803785"], INVALID),
        ("short", &["203.0.28937"], INVALID),
        ("a range", &["203.0.113.9/32"], INVALID),
        ("compatible, not mapped", &["::203.0.113.9"], INVALID),
        ("NAT64", &["64:ff9b::203.0.113.9"], INVALID),
        ("mapped with a zone", &["::ffff:203.0.113.9%1"], INVALID),
        ("bytes that are no text", &["203.0.113.9, \u{e9}"], INVALID),
    ];
    for (name, values, expected) in forwarded {
        let lines: String = values
            .iter()
            .map(|value| format!("X-Forwarded-For: {value}\r\n"))
            .collect();
        let name = format!("forwarded: {name}");
        attempts.push(far.attempt_from(PROXY, &name, &lines, expected));
    }
    for line in ["X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9"] {
        let line = format!("{line}\r\n");
        attempts.push(far.attempt_from(PROXY, &line, &line, INVALID));
        let both = format!("X-Forwarded-For: 198.51.100.7\r\n{line}");
        attempts.push(far.attempt_from(PROXY, &both, &both, INVALID));
    }
    for (zone, expected) in [
        ("", PLAY),
        ("%eth0", INVALID),
        ("%1", INVALID),
        ("%25eth0", INVALID),
    ] {
        let line = format!("X-Forwarded-For: fe80::1{zone}\r\n");
        attempts.push(local.attempt_from(PROXY, &line, &line, expected));
    }
    Doors::start(PROXIES).try_all(&attempts);
}

#[test]
fn a_token_for_a_page_is_good_there_only() {
    let ticket = bound_to_page("demo.example.de");
    let origin = |value: &str| format!("Origin: {value}\r\n");
    let referer = |value: &str| format!("Referer: {value}\r\n");
    let good = "https://demo.example.de";
    let mut attempts: Vec<Attempt> = Vec::new();
    let here = [
        good,
        "http://demo.example.de",
        "HTTPS://DEMO.Example.DE",
        "https://demo.example.de.",
        "https://demo.example.de:443",
        "https://demo.example.de:8443",
    ];
    for page in here {
        attempts.push(ticket.attempt(page, &origin(page), PLAY));
    }
    let elsewhere = [
        "https://demo.example.de.evil.com",
        "https://demo.example.de@evil.com",
        "https://demo.example.de:443@evil.com",
        "https://demo.example.de%40evil.com",
        "https://demo.example.de%2f.evil.com",
        "http://evil.com/?demo.example.de",
        "http://evil.com?https://demo.example.de",
        "http://evil.com#demo.example.de",
        "http://evil.com/demo.example.de",
        "http://evil.com\\@demo.example.de",
        "http://evil.com\t@demo.example.de",
        "https://evil-demo.example.de",
        "https://evildemo.example.de",
        "https://a.demo.example.de",
        "https://example.de",
        "https://demo.example.de..",
        "https://demo.example.com",
        "https://demo.example.de:99999",
        "https://xn--dmo-bma.example.de",
        "https://d\u{e9}mo.example.de",
        "https://demo\u{3002}example\u{3002}de",
        "https://\u{ff44}emo.example.de",
        "https://demo.example.de, https://evil.com",
        "https://evil.com https://demo.example.de",
        "demo.example.de",
        "//demo.example.de",
        "null",
        "NULL",
        "",
        "*",
        "file://demo.example.de",
        "blob:https://demo.example.de/1",
        "chrome-extension://demo.example.de",
        "wss://demo.example.de",
        "javascript://demo.example.de/",
    ];
    for page in elsewhere {
        attempts.push(ticket.attempt(&format!("Origin {page}"), &origin(page), INVALID));
        attempts.push(ticket.attempt(&format!("Referer {page}"), &referer(page), INVALID));
        // What Origin says is not made up for by what Referer says.
        let both = origin(page) + &referer("https://demo.example.de/page");
        attempts.push(ticket.attempt(&format!("{page} beside a Referer"), &both, INVALID));
    }
    let two = |first: &str, second: &str| origin(first) + &origin(second);
    #[rustfmt::skip]
    let rows = [
        ("neither header", String::new(), INVALID),
        ("Referer alone", referer("https://demo.example.de/page?a#b"), PLAY),
        ("Origin before a Referer that disagrees", origin(good) + &referer("https://evil.com/"), PLAY),
        ("Referer before it in the head", referer("https://demo.example.de/") + &origin("https://evil.com"), INVALID),
        ("two Origins", two(good, "https://evil.com"), INVALID),
        ("two Origins, the other way", two("https://evil.com", good), INVALID),
        ("two Origins that agree", two(good, good), INVALID),
        ("two Origins beside a Referer", two(good, "https://evil.com") + &referer(good), INVALID),
        ("two empty Origins beside a Referer", two("", "") + &referer(good), INVALID),
        ("two Referers", referer(good) + &referer("https://evil.com"), INVALID),
        ("the host as our own", "X-Forwarded-Host: demo.example.de\r\n".into(), INVALID),
        ("an Origin of old", format!("Sec-WebSocket-Origin: {good}\r\n"), INVALID),
        ("an Origin by another name", format!("X-Origin: {good}\r\nX-Referer: {good}\r\n"), INVALID),
        ("an ancestor", format!("Ancestor-Origin: {good}\r\nSec-Fetch-Site: same-origin\r\n"), INVALID),
    ];
    for (name, headers, expected) in rows {
        attempts.push(ticket.attempt(name, &headers, expected));
    }
    let query = ticket.with(|ticket| ticket.more = format!("&referer={good}&origin={good}"));
    attempts.push(query.attempt("in the query", "", INVALID));

    let books = bound_to_page("xn--bcher-kva.example");
    for (page, expected) in [
        ("https://xn--bcher-kva.example", PLAY),
        ("https://XN--BCHER-KVA.example:1", PLAY),
        ("https://bucher.example", INVALID),
        ("https://xn--bcher-kva.example.evil.com", INVALID),
        ("https://xn--xn--bcher-kva-.example", INVALID),
    ] {
        attempts.push(books.attempt(page, &origin(page), expected));
    }
    Doors::start("").try_all(&attempts);
}

#[test]
fn pages_that_the_operator_does_not_name_open_no_door() {
    let server = Server::start(&Options {
        server: "page-origins = [\"https://demo.example.de\", \"http://localhost:8181\"]\n".into(),
        ..Options::with_origin("rtmp://127.0.0.1:1/live")
    });
    server.register(attacks::DEMO, attacks::SECRET);
    let target = format!("/h5live/authstream?{}", Ticket::new(&claims()).query());
    #[rustfmt::skip]
    let rows = [
        ("named", "Origin: https://demo.example.de\r\n", PLAY),
        ("named, upper case", "Origin: HTTPS://DEMO.EXAMPLE.DE\r\n", PLAY),
        ("named with its port", "Origin: http://localhost:8181\r\n", PLAY),
        ("beside a Referer", "Origin: https://demo.example.de\r\nReferer: https://evil.com/\r\n", PLAY),
        ("none", "", INVALID),
        ("empty", "Origin:\r\n", INVALID),
        ("null", "Origin: null\r\n", INVALID),
        ("Referer does not stand in", "Referer: https://demo.example.de/\r\n", INVALID),
        ("null beside a Referer", "Origin: null\r\nReferer: https://demo.example.de/\r\n", INVALID),
        ("another scheme", "Origin: http://demo.example.de\r\n", INVALID),
        ("another port", "Origin: https://demo.example.de:8443\r\n", INVALID),
        ("another port of localhost", "Origin: http://localhost\r\n", INVALID),
        ("loopback is not localhost", "Origin: http://127.0.0.1:8181\r\n", INVALID),
        ("subdomain", "Origin: https://a.demo.example.de\r\n", INVALID),
        ("suffix", "Origin: https://demo.example.de.evil.com\r\n", INVALID),
        ("user", "Origin: https://demo.example.de@evil.com\r\n", INVALID),
        ("path", "Origin: https://demo.example.de/\r\n", INVALID),
        ("star", "Origin: *\r\n", INVALID),
        ("two in one", "Origin: https://demo.example.de, https://evil.com\r\n", INVALID),
        ("two headers", "Origin: https://demo.example.de\r\nOrigin: https://evil.com\r\n", INVALID),
        ("two headers that agree", "Origin: https://demo.example.de\r\nOrigin: https://demo.example.de\r\n", INVALID),
    ];
    let mut table = Table::default();
    for (name, headers, expected) in rows {
        let mut client = Raw::connect(server.port());
        client.send(&upgrade(target.as_bytes(), headers));
        table.row(name, &client.outcome(), expected);
    }
    table.check();
}

#[test]
fn wrong_keys_count_against_who_sends_them() {
    let server = Server::start(&Options {
        server: PROXIES.to_owned(),
        more: "[limits]\napi-failures = 3\napi-failure-recovery = \"1h\"\n".to_owned(),
        ..Options::default()
    });
    let guess = |from: Ipv4Addr, forwarded: &str| {
        let mut client = Raw::connect_from(from, server.port());
        let head = format!(
            "POST /secure/token HTTP/1.1\r\nHost: play.test\r\nX-BINTU-APIKEY: h5l_guess\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n{forwarded}\r\n{{}}"
        );
        client.send(head.as_bytes());
        client.outcome()
    };
    let forwarded = |address: &str| {
        format!(
            "X-Forwarded-For: {address}\r\nX-Real-IP: {address}\r\nForwarded: for={address}\r\n"
        )
    };
    // A new name with every guess helps nobody.
    for nth in 0..5 {
        let expected = if nth < 3 { "401" } else { "429" };
        let found = guess(VIEWER, &forwarded(&format!("203.0.113.{nth}")));
        assert_eq!(found, expected, "guess {nth}");
    }
    #[rustfmt::skip]
    let rows = [
        ("another client", ANYONE, String::new(), "401"),
        ("a client of the proxy whose name was used", PROXY, forwarded("203.0.113.1"), "401"),
        ("another client of the proxy", PROXY, forwarded("203.0.113.2"), "401"),
        ("the same, by way of the proxy", PROXY, forwarded("127.0.0.2"), "429"),
        ("the same, behind a forged hop", PROXY, forwarded("203.0.113.3, 127.0.0.2"), "429"),
        ("the same, mapped", PROXY, forwarded("::ffff:127.0.0.2"), "429"),
    ];
    for (name, from, lines, expected) in rows {
        assert_eq!(guess(from, &lines), expected, "{name}");
    }
}

#[test]
fn a_renewal_is_bound_to_the_connection_that_asks() {
    let server = Server::start(&Options::with_origin("rtmp://127.0.0.1:1/live"));
    server.register(attacks::DEMO, attacks::SECRET);
    let target = format!("/h5live/authstream?{}", Ticket::new(&claims()).query());
    let mut viewer = Raw::connect_from(VIEWER, server.port());
    let page = "Origin: https://demo.example.de\r\nX-Forwarded-For: 127.0.0.1\r\n";
    viewer.send(&upgrade(target.as_bytes(), page));
    assert_eq!(viewer.outcome(), PLAY);
    let rows = [
        ("its address", bound_to("127.0.0.2"), Value::Null),
        ("its page", bound_to_page("demo.example.de"), Value::Null),
        ("another address", bound_to("127.0.0.1"), json!(4901)),
        ("another page", bound_to_page("evil.com"), json!(4901)),
    ];
    for (name, ticket, code) in rows {
        let update = json!({"eventType": "onUpdateSource", "requestId": 1, "onUpdateSource": {
            "rtmp": {"stream": attacks::DEMO}, "ip": "127.0.0.1", "referer": "evil.com",
            "security": {"token": ticket.token, "options": ticket.options},
        }});
        viewer.send(&masked(0x81, update.to_string().as_bytes()));
        let answer = viewer.frame().unwrap();
        let json: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!(json[answer.name()]["code"], code, "{name}: {json}");
    }
}
