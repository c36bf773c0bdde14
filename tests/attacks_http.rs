//! Attacks on HTTP itself: requests that hide others, heads without end, headers that claim to be
//! something else, bodies of every size. By the byte, over a socket, against the real server.
//!
//! Elsewhere: the API's refusals of JSON by type, range and name, its keys and its content types
//! (`issuer_refusals.rs`), paths and queries (`attacks_parsing.rs`), forwarded addresses and pages
//! (`attacks_binding.rs`). Not covered: clients that are slow, and TLS.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::raw::{KEY, Raw, Table, upgrade};
use support::server::{Options, Server};

const BODY: &str = r#"{"streamname": "ABCDE-demo"}"#;
/// A request that must not be answered where it hides in another.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: hidden.test\r\nConnection: close\r\n\r\n";

fn start() -> Server {
    let server = Server::start(&Options {
        // Each row may fail; and heads are to be bounded to the byte of the operator's choice.
        more: "[limits]\napi-failures = 1000\nmax-header-bytes = 8192\n".to_owned(),
        ..Options::with_origin("rtmp://127.0.0.1:1/live")
    });
    server.register("ABCDE-demo", "a secret of the demo");
    server
}

/// The statuses of all answers to these bytes, until the server closes.
fn answers(server: &Server, bytes: &[u8]) -> String {
    let mut client = Raw::connect(server.port());
    client.send(bytes);
    let mut statuses = Vec::new();
    while let Some(answer) = client.answer() {
        assert_ne!(answer.status, 101, "{}", String::from_utf8_lossy(bytes));
        statuses.push(answer.status.to_string());
    }
    statuses.join(" ")
}

/// A request for a token with these header lines in place of its length, and this behind its head.
fn mint(server: &Server, lines: &str, behind: &str) -> Vec<u8> {
    let key = server.api_key();
    format!(
        "POST /secure/token HTTP/1.1\r\nHost: play.test\r\nX-BINTU-APIKEY: {key}\r\n\
         Content-Type: application/json\r\n{lines}\r\n{behind}"
    )
    .into_bytes()
}

#[test]
fn no_request_hides_in_another() {
    let server = start();
    let length = BODY.len();
    let right = format!("Content-Length: {length}\r\nConnection: close\r\n");
    let chunks = format!("{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    let none = format!("0\r\n\r\n{HIDDEN}");
    let after = format!("{BODY}{HIDDEN}");
    let big = format!("{}{HIDDEN}", " ".repeat(40 * 1024));
    let te = "Transfer-Encoding: chunked\r\n";
    let te_close = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    #[rustfmt::skip]
    let rows: Vec<(&str, String, &str, &str)> = vec![
        ("as it should be", right.clone(), BODY, "200"),
        ("chunked", te_close.into(), &chunks, "200"),
        ("two requests in a row", format!("Content-Length: {length}\r\n"), &after, "200 200"),

        ("two lengths that differ", format!("Content-Length: {length}\r\nContent-Length: 0\r\n"), &after, "400"),
        ("two lengths in one", format!("Content-Length: {length}, 0\r\n"), &after, "400"),
        ("length with a sign", format!("Content-Length: +{length}\r\n"), &after, "400"),
        ("length below zero", "Content-Length: -1\r\n".into(), &after, "400"),
        ("length in hexadecimal", "Content-Length: 0x1c\r\n".into(), &after, "400"),
        ("length past 64 bits", "Content-Length: 18446744073709551644\r\n".into(), &after, "400"),
        ("empty length", "Content-Length:\r\n".into(), &after, "400"),
        ("space before the colon", format!("Content-Length : {length}\r\n"), &after, "400"),

        ("encoding beside a length", format!("{te}Content-Length: 200\r\n"), &none, "400"),
        ("length beside an encoding", format!("Content-Length: 200\r\n{te}"), &none, "400"),
        ("length of nothing beside an encoding", format!("Content-Length: 0\r\n{te}"), &none, "400"),
        ("two encodings", format!("{te}Transfer-Encoding: identity\r\n"), &none, "400"),
        ("two encodings, chunked last", format!("Transfer-Encoding: identity\r\n{te}"), &none, "400"),
        ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n".into(), &none, "400"),
        ("chunked, then something", "Transfer-Encoding: chunked, identity\r\n".into(), &none, "400"),
        ("something, then chunked", "Transfer-Encoding: gzip, chunked\r\n".into(), &none, "400"),
        ("almost chunked", "Transfer-Encoding: xchunked\r\n".into(), &none, "400"),
        ("chunked in quotes", "Transfer-Encoding: \"chunked\"\r\n".into(), &none, "400"),
        ("chunked behind a control character", "Transfer-Encoding: \x0Bchunked\r\n".into(), &none, "400"),
        ("space before the encoding's colon", "Transfer-Encoding : chunked\r\n".into(), &none, "400"),
        ("encoding on a folded line", "Transfer-Encoding:\r\n chunked\r\n".into(), &none, "400"),
        ("encoding behind a bare CR", "X: y\rTransfer-Encoding: chunked\r\n".into(), &none, "400"),

        ("chunk size of 16 digits and one", te.into(), "10000000000000000\r\n", "400"),
        ("chunk size below zero", te.into(), "-1\r\nx", "400"),
        ("chunk size with a prefix", te.into(), "0x1\r\nx", "400"),
        ("chunk size ended by a bare LF", te.into(), "1\nx\r\n0\r\n\r\n", "400"),
        ("chunk extension with a bare LF", te.into(), "1;a\nb\r\nx\r\n0\r\n\r\n", "400"),
        ("chunk longer than its size", te.into(), "1\r\nxx\r\n0\r\n\r\n", "400"),

        ("folded line", format!("X: y\r\n z\r\n{right}"), BODY, "400"),
        ("folded first line", format!(" X: y\r\n{right}"), BODY, "400"),
        ("bare CR in a value", format!("X: y\rz\r\n{right}"), BODY, "400"),
        ("NUL in a value", format!("X: y\0z\r\n{right}"), BODY, "400"),
        ("NUL in a name", format!("X\0: y\r\n{right}"), BODY, "400"),
        ("line without a colon", format!("X\r\n{right}"), BODY, "400"),
        ("empty name", format!(": y\r\n{right}"), BODY, "400"),
        ("second Host", format!("Host: other.test\r\n{right}"), BODY, "400"),
        ("second Host that agrees", format!("Host: play.test\r\n{right}"), BODY, "400"),

        ("body past 16 KiB with a request in it", format!("Content-Length: {}\r\n", big.len()), &big, "413"),
        ("length shorter than the body", "Content-Length: 4\r\n".into(), BODY, "400 400"),
    ];
    let mut table = Table::default();
    for (name, lines, behind, expected) in rows {
        let found = answers(&server, &mint(&server, &lines, behind));
        table.row(name, &found, expected);
    }

    // RFC 9112, 2.2 lets a server take a bare LF for a line's end. It is one to every header alike, so
    // a proxy in front that passes it on in a value passes on a header; a body is not reached by it.
    let lf = String::from_utf8(mint(&server, &right, BODY)).unwrap();
    let lf = lf.replace("\r\n", "\n");
    table.row("bare line feeds", &answers(&server, lf.as_bytes()), "200");

    let plain = |head: &str| answers(&server, format!("{head}\r\n").as_bytes());
    #[rustfmt::skip]
    let rows = [
        ("no Host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n", "400"),
        ("no Host by HTTP/1.0, which has none", "GET /healthz HTTP/1.0\r\n", "200"),
        ("no Host at the API", "POST /secure/token HTTP/1.1\r\n", "400"),
        ("no Host at the door", "GET /h5live/authstream HTTP/1.1\r\n", "400"),
        ("encoding by HTTP/1.0", "GET /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", "400"),
        ("HTTP/0.9", "GET /healthz\r\n", "400"),
        ("HTTP/1.2", "GET /healthz HTTP/1.2\r\nHost: play.test\r\n", "400"),
        ("TLS on a plain port", "\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03\r\n", "400"),
        ("path by another header", "GET /none HTTP/1.1\r\nHost: h\r\nX-Original-URL: /healthz\r\nConnection: close\r\n", "404"),
        ("path by a rewrite", "GET /none HTTP/1.1\r\nHost: h\r\nX-Rewrite-URL: /healthz\r\nConnection: close\r\n", "404"),
    ];
    for (name, head, expected) in rows {
        table.row(name, &plain(head), expected);
    }
    table.check();
}

#[test]
fn heads_have_a_bound() {
    let server = start();
    let head = |lines: &str| {
        format!("GET /healthz HTTP/1.1\r\nHost: play.test\r\nConnection: close\r\n{lines}\r\n")
    };
    let long = |length: usize| format!("X: {}\r\n", "y".repeat(length));
    #[rustfmt::skip]
    let rows = [
        ("under the limit", head(&long(7_000)), "200"),
        ("over the limit", head(&long(8_192)), "431"),
        ("far over the limit", head(&long(100_000)), "431"),
        ("over the limit in many lines", head(&long(250).repeat(40)), "431"),
        ("64 lines", head(&"X: y\r\n".repeat(62)), "200"),
        ("more than 64 lines", head(&"X: y\r\n".repeat(63)), "431"),
        ("1,000 lines", head(&"X: y\r\n".repeat(1_000)), "431"),
        ("a line without end", "GET /".to_owned() + &"x".repeat(100_000), "431"),
        ("a method without end", "G".repeat(100_000), "431"),
        ("a name without end", "GET / HTTP/1.1\r\n".to_owned() + &"x".repeat(100_000), "431"),
    ];
    let mut table = Table::default();
    for (name, bytes, expected) in rows {
        table.row(name, &answers(&server, bytes.as_bytes()), expected);
    }
    table.check();
}

#[test]
fn bodies_have_a_bound_and_one_coding() {
    let server = start();
    let post = |lines: &str, body: &[u8]| {
        let length = body.len();
        let lines = format!("Content-Length: {length}\r\nConnection: close\r\n{lines}");
        let mut client = Raw::connect(server.port());
        client.send(&[&mint(&server, &lines, "")[..], body].concat());
        let answer = client.answer().unwrap();
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        format!("{} {}", answer.status, json["error"]["code"])
    };
    let padded = |length: usize| format!("{BODY}{}", " ".repeat(length - BODY.len()));
    let utf_16: Vec<u8> = BODY.encode_utf16().flat_map(u16::to_be_bytes).collect();
    #[rustfmt::skip]
    let rows: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("16 KiB", "", padded(16 * 1024).into(), "200 null"),
        ("16 KiB and a byte", "", padded(16 * 1024 + 1).into(), "413 \"body_too_large\""),
        ("a megabyte", "", padded(1 << 20).into(), "413 \"body_too_large\""),
        ("compressed by its own word", "Content-Encoding: gzip\r\n", BODY.into(), "200 null"),
        ("compressed", "Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\0\0\0\0\0\0\xff".into(), "400 \"body_malformed\""),
        ("byte order mark", "", format!("\u{feff}{BODY}").into(), "400 \"body_malformed\""),
        ("UTF-16", "", utf_16, "400 \"body_malformed\""),
        ("invalid UTF-8", "", b"{\"streamname\": \"ABCDE-demo\xFF\"}".into(), "400 \"body_malformed\""),
        ("overlong quote", "", b"{\"streamname\": \"ABCDE-demo\xC0\xA2}".into(), "400 \"body_malformed\""),
        ("lone surrogate", "", br#"{"streamname": "ABCDE-demo", "tag": "\ud800"}"#.into(), "400 \"body_malformed\""),
        ("repeated by escape", "", br#"{"streamname": "ABCDE-demo", "stre\u0061mname": "ABCDE-demo"}"#.into(), "400 \"field_repeated\""),
        ("comment", "", b"{\"streamname\": /* */ \"ABCDE-demo\"}".into(), "400 \"body_malformed\""),
        ("form", "", b"streamname=ABCDE-demo".into(), "400 \"body_malformed\""),
        ("header with an underscore", "X_BINTU_APIKEY: x\r\n", BODY.into(), "200 null"),
        ("second key", "X-BINTU-APIKEY: x\r\n", BODY.into(), "401 \"api_key_missing\""),
        ("method by another header", "X-HTTP-Method-Override: GET\r\n", BODY.into(), "200 null"),
    ];
    let mut table = Table::default();
    for (name, lines, body, expected) in rows {
        table.row(name, &post(lines, &body), expected);
    }

    // A key counts in its header alone: a URL is logged by proxies, a trailer is read by few.
    let key = server.api_key();
    let keyless = |target: &str, lines: &str, behind: &str| {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: play.test\r\nContent-Type: application/json\r\n\
             Connection: close\r\n{lines}\r\n{behind}"
        );
        answers(&server, head.as_bytes())
    };
    let length = format!("Content-Length: {}\r\n", BODY.len());
    let chunks = format!(
        "{:x}\r\n{BODY}\r\n0\r\nX-BINTU-APIKEY: {key}\r\n\r\n",
        BODY.len()
    );
    #[rustfmt::skip]
    let rows = [
        ("key in the query", format!("?X-BINTU-APIKEY={key}"), length.clone(), BODY),
        ("key as a bearer", String::new(), format!("Authorization: Bearer {key}\r\n{length}"), BODY),
        ("key as a cookie", String::new(), format!("Cookie: X-BINTU-APIKEY={key}\r\n{length}"), BODY),
        ("key as bintu's token", String::new(), format!("X-BINTU-TOKEN: {key}\r\n{length}"), BODY),
        ("key with underscores", String::new(), format!("X_BINTU_APIKEY: {key}\r\n{length}"), BODY),
        ("key in a trailer", String::new(), "Trailer: X-BINTU-APIKEY\r\nTransfer-Encoding: chunked\r\n".into(), &chunks),
    ];
    for (name, query, lines, behind) in rows {
        let target = format!("/secure/token{query}");
        table.row(name, &keyless(&target, &lines, behind), "401");
    }
    table.check();
}

#[test]
fn upgrades_are_what_they_say_or_none() {
    let server = start();
    let security = server.mint(&json!({"streamname": "ABCDE-demo"}));
    let (token, options) = (&security.token, &security.options);
    let path = "/h5live/authstream";
    let bare = format!("{path}?stream=ABCDE-demo");
    let good = format!("{bare}&token={token}&options={options}");
    let hidden = format!("Content-Length: {}\r\n", HIDDEN.len());
    let te = "Transfer-Encoding: chunked\r\n";
    let play = "101 onServerInfo";
    let anew = |name: &'static str, from: &str, to: &str| {
        let head = String::from_utf8(upgrade(good.as_bytes(), "")).unwrap();
        assert!(head.contains(from));
        (name, head.replace(from, to))
    };
    let more = |name: &'static str, target: &str, lines: &str| {
        let head = upgrade(target.as_bytes(), lines);
        (name, String::from_utf8(head).unwrap())
    };
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let short = format!("Sec-WebSocket-Key: {}\r\n", &KEY[..20]);
    #[rustfmt::skip]
    let rows = [
        (more("as it should be", &good, ""), play),
        (anew("no upgrade", "Upgrade: websocket\r\n", ""), "426"),
        (anew("another upgrade", "Upgrade: websocket", "Upgrade: h2c"), "426"),
        (anew("no connection option", "Connection: Upgrade\r\n", ""), "426"),
        (anew("version 8", "Version: 13", "Version: 8"), "426"),
        (anew("two versions in one", "Version: 13", "Version: 13, 8"), "426"),
        (more("two versions", &good, "Sec-WebSocket-Version: 8\r\n"), "426"),
        (anew("no key", &key, ""), "400"),
        (anew("a short key", &key, &short), "400"),
        (more("two keys", &good, &key), "400"),
        (anew("no Host", "Host: play.test\r\n", ""), "400"),
        (more("a body that is a request", &good, &hidden), "400"),
        (more("a body in chunks", &good, te), "400"),
        (more("a token in a header", &bare, &format!("token: {token}\r\noptions: {options}\r\n")), "101 close 4903"),
        (more("a token as a bearer", &bare, &format!("Authorization: Bearer {token}\r\n")), "101 close 4903"),
        (more("a token as a cookie", &bare, &format!("Cookie: token={token}; options={options}\r\n")), "101 close 4903"),
        (more("a token as a subprotocol", &bare, &format!("Sec-WebSocket-Protocol: {token}\r\n")), "101 close 4903"),
        (more("a token in the page's query", &bare, &format!("Referer: http://play.test/?token={token}&options={options}\r\n")), "101 close 4903"),
    ];
    let mut table = Table::default();
    for ((name, head), expected) in rows {
        let mut client = Raw::connect(server.port());
        client.send(head.as_bytes());
        client.send(HIDDEN.as_bytes());
        let found = client.outcome();
        table.row(name, &found, expected);
        if found == play {
            // What follows an upgrade is frames, never a request.
            table.row(name, &client.next(), "close 1002");
        }
    }

    let offered = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame\r\n\
                   Sec-WebSocket-Protocol: h5live, chat\r\n";
    let mut client = Raw::connect(server.port());
    client.send(&upgrade(good.as_bytes(), offered));
    let answer = client.answer().unwrap();
    assert_eq!(answer.status, 101);
    for declined in ["sec-websocket-extensions", "sec-websocket-protocol"] {
        assert_eq!(answer.header(declined), None, "{}", answer.head);
    }
    assert_eq!(client.next(), "onServerInfo");
    table.check();
}
