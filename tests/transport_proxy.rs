//! The PROXY header: whose is believed, what a token that is bound to an address makes of it, and what
//! is closed.
//!
//! Elsewhere: every form of header that is refused, and its properties
//! (`src/http/proxy_protocol/tests.rs`).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod support;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use attacks::{DEMO, INVALID, PLAY, SECRET, Ticket, claims};
use h5live::token::Claims;
use support::https::{curl, run_curl};
use support::raw::{Raw, Table, upgrade};
use support::server::{Options, Server};

const ANYONE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const VIEWER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const LINES: &str = "trusted-proxies = [\"127.0.0.3\", \"127.0.0.4\"]\nproxy-protocol = true\n";
const V1: &[u8] = b"PROXY TCP4 203.0.113.9 127.0.0.1 56324 443\r\n";

/// A connection's name, its origin, its PROXY header, more header lines, the token, and the outcome.
type Row<'a> = (&'a str, Ipv4Addr, Vec<u8>, &'a str, &'a Ticket, &'a str);

fn bound_to(ip: &str) -> Ticket {
    Ticket::new(&Claims {
        ip: Some(ip.parse().unwrap()),
        ..claims()
    })
}

fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

#[test]
fn the_address_in_a_trusted_proxys_header_is_the_clients() {
    let server = Server::start(&Options {
        server: LINES.to_owned(),
        ..Options::with_origin("rtmp://127.0.0.1:1/live")
    });
    server.register(DEMO, SECRET);
    let far = bound_to("203.0.113.9");
    let near = bound_to("127.0.0.2");
    let v4 = [203, 0, 113, 9, 127, 0, 0, 1, 0xDC, 0x04, 0x01, 0xBB];
    let mut mapped = [0; 36];
    mapped[10..16].copy_from_slice(&[0xFF, 0xFF, 203, 0, 113, 9]);
    let claim = "X-Forwarded-For: 203.0.113.9\r\n";
    let lie = "X-Forwarded-For: 198.51.100.7\r\n";
    let by_proxy = b"PROXY TCP4 127.0.0.4 127.0.0.1 1 2\r\n";
    let by_other = b"PROXY TCP4 198.51.100.7 127.0.0.1 1 2\r\n";
    #[rustfmt::skip]
    let rows: Vec<Row> = vec![
        ("version 1", PROXY, V1.into(), "", &far, PLAY),
        ("version 2", PROXY, v2(0x21, 0x11, &v4), "", &far, PLAY),
        ("version 2, mapped", PROXY, v2(0x21, 0x21, &mapped), "", &far, PLAY),
        ("version 2 with more", PROXY, v2(0x21, 0x11, &[&v4[..], &[4, 0, 1, 0]].concat()), "", &far, PLAY),
        ("another's token", PROXY, by_other.into(), "", &far, INVALID),
        ("a client behind the proxy forges nothing", PROXY, by_other.into(), claim, &far, INVALID),
        ("nor away", PROXY, V1.into(), lie, &far, PLAY),
        ("a proxy behind the proxy tells", PROXY, by_proxy.into(), claim, &far, PLAY),
        ("LOCAL is nobody", PROXY, v2(0x20, 0x00, &[]), claim, &far, INVALID),
        ("UNKNOWN is nobody", PROXY, b"PROXY UNKNOWN\r\n".into(), claim, &far, INVALID),
        ("a trusted proxy without one", PROXY, Vec::new(), claim, &far, "closed"),
        ("two headers", PROXY, [V1, V1].concat(), "", &far, "400"),
        ("malformed", PROXY, b"PROXY TCP4 203.0.113.9\r\n".into(), "", &far, "closed"),
        ("of another family", PROXY, v2(0x21, 0x11, &v4[..11]), "", &far, "closed"),
        ("nobody's proxy, version 1", ANYONE, V1.into(), "", &far, "400"),
        ("nobody's proxy, version 2", ANYONE, v2(0x21, 0x11, &v4), "", &far, "400"),
        ("a viewer of its own", VIEWER, Vec::new(), "", &near, PLAY),
        ("a viewer who claims", ANYONE, Vec::new(), claim, &far, INVALID),
    ];
    let mut table = Table::default();
    for (name, from, header, lines, ticket, expected) in rows {
        let mut client = Raw::connect_from(from, server.port());
        let target = format!("/h5live/authstream?{}", ticket.query());
        // In one write, so that what follows the header could be swallowed with it.
        client.send(&[header, upgrade(target.as_bytes(), lines)].concat());
        let found = client.outcome();
        if expected == "400" {
            assert!(client.rest().is_empty(), "{name}: open after its refusal");
        }
        table.row(name, &found, expected);
    }
    table.check();
    let log = server.log();
    assert!(
        log.contains("a trusted proxy sent no PROXY header"),
        "{log}"
    );
}

#[test]
fn a_header_comes_before_tls_and_within_the_handshakes_time() {
    let server = Server::start(&Options {
        tls: true,
        server: LINES.to_owned(),
        more: "[limits]\nhandshake-timeout = \"1s\"\n".to_owned(),
        ..Options::default()
    });
    let healthz = format!("{}/healthz", server.base());
    let proxied = ["--interface", "127.0.0.3", "--haproxy-protocol", &healthz];
    assert_eq!(curl(&proxied).text(), "ok\n");
    let direct = curl(&["--interface", "127.0.0.2", &healthz]);
    assert_eq!(direct.text(), "ok\n");
    for wrong in [
        &["--interface", "127.0.0.3", healthz.as_str()][..],
        &["--interface", "127.0.0.2", "--haproxy-protocol", &healthz],
    ] {
        let output = run_curl(wrong);
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{wrong:?}"
        );
    }
    for start in [
        &b""[..],
        b"PROXY TCP4 203.0.113.9 ",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0C\xCB",
    ] {
        let since = Instant::now();
        let mut client = Raw::connect_from(PROXY, server.port());
        client.send(start);
        assert!(client.rest().is_empty());
        assert!(since.elapsed() > Duration::from_millis(500), "{start:?}");
    }
}
