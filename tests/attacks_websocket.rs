//! Attacks by viewers that were let in: frames that break RFC 6455, messages that break the interface,
//! floods. Each ends with its close code, and another viewer of the same server notices nothing.
//!
//! Elsewhere: the frame reader in portions of any size (`src/hub/websocket.rs`), the types of the
//! `security` object (`src/token/parameters/tests.rs`), upgrades and extensions (`attacks_http.rs`),
//! readers that stand still (`door_websocket.rs`). Not covered: TLS, and viewers by the thousand.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::raw::{Frame, Raw, Table, masked, upgrade};
use support::server::{Options, Security, Server};

/// The limit that the server is given, in bytes.
const MESSAGE_LIMIT: usize = 4096;

struct Doors {
    server: Server,
    security: Security,
}

impl Doors {
    fn start() -> Doors {
        let server = Server::start(&Options {
            more: format!("[limits]\nmax-message-bytes = {MESSAGE_LIMIT}\n"),
            ..Options::with_origin("rtmp://127.0.0.1:1/live")
        });
        server.register("ABCDE-demo", "a secret of the demo");
        server.register("ABCDE-other", "a secret of another");
        let security = server.mint(&json!({"streamname": "ABCDE-demo"}));
        Doors { server, security }
    }

    /// A viewer who has been let in.
    fn viewer(&self) -> Raw {
        let (token, options) = (&self.security.token, &self.security.options);
        let target =
            format!("/h5live/authstream?stream=ABCDE-demo&token={token}&options={options}");
        let mut viewer = Raw::connect(self.server.port());
        viewer.send(&upgrade(target.as_bytes(), ""));
        assert_eq!(viewer.outcome(), "101 onServerInfo");
        viewer
    }
}

/// Text, as a decent client sends it.
fn text(text: &str) -> Vec<u8> {
    masked(0x81, text.as_bytes())
}

/// The head of a frame that announces so many bytes, and its mask.
fn announced(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first, 0x80 | 127];
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(&[1, 2, 3, 4]);
    head
}

/// That the viewer's connection still answers, in order, and is sent nothing else.
fn still_served(viewer: &mut Raw, nth: usize) {
    let payload = nth.to_string().into_bytes();
    viewer.send(&masked(0x89, &payload));
    let pong = Frame {
        first: 0x8A,
        payload,
    };
    // The server may have asked the same meanwhile.
    let mut frame = viewer.frame();
    while frame.as_ref().is_some_and(|frame| frame.first == 0x89) {
        frame = viewer.frame();
    }
    assert_eq!(frame, Some(pong));
}

#[test]
fn frames_that_break_the_protocol_end_their_own_connection_only() {
    let doors = Doors::start();
    let mut other = doors.viewer();
    let pause = r#"{"eventType":"onPause","onPause":{}}"#;
    let mut unmasked = masked(0x81, b"");
    unmasked.truncate(1);
    unmasked.extend_from_slice(&[2, b'{', b'}']);
    let fragments = |count: usize| {
        let mut all = masked(0x01, &[b' '; 512]);
        all.extend(masked(0x00, &[b' '; 512]).repeat(count));
        all
    };
    let giant = [announced(0x81, 1 << 20), vec![0; 1 << 20]].concat();
    let second = [text(pause), text(pause)].concat();
    let within = [masked(0x01, b"{"), masked(0x89, b"x"), masked(0x81, b"}")].concat();
    #[rustfmt::skip]
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("unmasked text", unmasked, "close 1002"),
        ("unmasked ping", vec![0x89, 0x00], "close 1002"),
        ("unmasked close", vec![0x88, 0x02, 0x03, 0xE8], "close 1002"),
        ("reserved bit 1, as if compressed", masked(0xC1, pause.as_bytes()), "close 1002"),
        ("reserved bit 2", masked(0xA1, pause.as_bytes()), "close 1002"),
        ("reserved bit 3", masked(0x91, pause.as_bytes()), "close 1002"),
        ("reserved bit of a ping", masked(0xC9, b""), "close 1002"),
        ("a deflate bomb", masked(0xC1, &[0xEC, 0xC1, 0x01, 0x01, 0, 0, 0, 0x80]), "close 1002"),
        ("reserved opcode 3", masked(0x83, b"x"), "close 1002"),
        ("reserved opcode 7", masked(0x87, b"x"), "close 1002"),
        ("reserved control opcode 11", masked(0x8B, b"x"), "close 1002"),
        ("reserved control opcode 15", masked(0x8F, b"x"), "close 1002"),
        ("fragmented ping", masked(0x09, b"x"), "close 1002"),
        ("fragmented close", masked(0x08, &[0x03, 0xE8]), "close 1002"),
        ("long ping", masked(0x89, &[0; 126]), "close 1002"),
        ("ping of 2^63 bytes", announced(0x89, 1 << 63), "close 1002"),
        ("continuation of nothing", masked(0x80, b"x"), "close 1002"),
        ("text within a text", within, "close 1002"),
        ("a request in place of a frame", b"GET / HTTP/1.1\r\n\r\n".into(), "close 1002"),
        ("length 2^63", announced(0x81, 1 << 63), "close 1009"),
        ("length 2^63 and a bit", announced(0x81, (1 << 63) | 2), "close 1009"),
        ("length 2^64 - 1", announced(0x81, u64::MAX), "close 1009"),
        ("length 2^64 - 14, which wraps", announced(0x81, u64::MAX - 13), "close 1009"),
        ("binary of 2^63 bytes", announced(0x82, 1 << 63), "close 1009"),
        ("giant frame", giant, "close 1009"),
        ("a byte too many", masked(0x81, &[b' '; MESSAGE_LIMIT + 1]), "close 1009"),
        ("too big in fragments", fragments(MESSAGE_LIMIT / 512), "close 1009"),
        ("binary", masked(0x82, b"x"), "close 1003"),
        ("text that is no UTF-8", masked(0x81, b"{\"eventType\":\"\xC0\xAF\"}"), "close 1007"),
        ("text that ends within a character", masked(0x81, b"\"\xE2\x82"), "close 1007"),
        ("close", masked(0x88, &[0x03, 0xE9]), "close 1000"),
        ("close, then more", [masked(0x88, &[0x03, 0xE8]), second].concat(), "close 1000"),
    ];
    let mut table = Table::default();
    for (nth, (name, bytes, expected)) in rows.into_iter().enumerate() {
        let mut viewer = doors.viewer();
        viewer.send(&bytes);
        table.row(name, &viewer.next(), expected);
        viewer.send(&masked(0x88, &[0x03, 0xE8]));
        let rest = viewer.rest();
        table.row(name, &format!("{rest:?}"), "[]");
        // Which also keeps it within what one client may say: a few messages a second.
        if nth % 8 == 0 {
            still_served(&mut other, nth);
        }
    }
    still_served(&mut other, 99);
    table.check();
}

#[test]
fn messages_that_break_the_interface() {
    let doors = Doors::start();
    let mut other = doors.viewer();
    let (token, options) = (&doors.security.token, &doors.security.options);
    let update = |stream: &str, security: &str| {
        format!(
            r#"{{"eventType":"onUpdateSource","requestId":1,"onUpdateSource":{{
            "rtmp":{{"stream":{stream}}},"security":{security}}}}}"#
        )
    };
    let demo = "\"ABCDE-demo\"";
    let good = format!(r#"{{"token":"{token}","options":{options}}}"#);
    let nest = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let exact = format!("{:MESSAGE_LIMIT$}", update(demo, &good));
    let bad = "close 4400";
    let refused = |code: u16| format!("onUpdateSourceError {code}");
    #[rustfmt::skip]
    let rows: Vec<(&str, String, &str)> = vec![
        ("renewal", update(demo, &good), "onUpdateSourceSuccess"),
        ("renewal of as many bytes as may be", exact, "onUpdateSourceSuccess"),
        ("empty", String::new(), bad),
        ("no JSON", "hello".into(), bad),
        ("half an object", r#"{"eventType":"onPause""#.into(), bad),
        ("two objects", r#"{"eventType":"onPause"}{"eventType":"onPause"}"#.into(), bad),
        ("a string", "\"onPause\"".into(), bad),
        ("a number", "1e999".into(), bad),
        ("null", "null".into(), bad),
        ("an empty array", "[]".into(), bad),
        ("no event type", "{}".into(), bad),
        ("event type as a number", r#"{"eventType":7}"#.into(), bad),
        ("event type as null", r#"{"eventType":null}"#.into(), bad),
        ("repeated event type", r#"{"eventType":"onPause","eventType":"onPlay"}"#.into(), bad),
        ("repeated by escape", r#"{"eventType":"onPause","event\u0054ype":"onPlay"}"#.into(), bad),
        ("NaN", r#"{"eventType":"onPause","x":NaN}"#.into(), bad),
        ("tag nested without end", update(demo, &good).replace("\"rtmp\"", &format!("\"tag\":{},\"rtmp\"", nest(1_000))), bad),
        ("update without content", r#"{"eventType":"onUpdateSource"}"#.into(), bad),
        ("update of nothing", r#"{"eventType":"onUpdateSource","onUpdateSource":null}"#.into(), bad),
        ("update without a stream", r#"{"eventType":"onUpdateSource","onUpdateSource":{}}"#.into(), bad),
        ("stream as a number", update("7", &good), bad),
        ("stream as an array", update("[\"ABCDE-demo\"]", &good), bad),
        ("token as a number", update(demo, r#"{"token":7,"options":0}"#), bad),
        ("token as an array", update(demo, &format!(r#"{{"token":["{token}"],"options":0}}"#)), bad),
        ("options as a fraction", update(demo, &format!(r#"{{"token":"{token}","options":0.0}}"#)), bad),
        ("options as an exponent", update(demo, &format!(r#"{{"token":"{token}","options":0e0}}"#)), bad),
        ("expires as an exponent", update(demo, r#"{"token":"x","options":1,"expires":1e9}"#), bad),
        ("expires below zero", update(demo, r#"{"token":"x","options":1,"expires":-1}"#), bad),
        ("expires true", update(demo, r#"{"token":"x","options":1,"expires":true}"#), bad),
        ("expires null", update(demo, r#"{"token":"x","options":1,"expires":null}"#), bad),
        ("repeated token", update(demo, &format!(r#"{{"token":"x","token":"{token}","options":0}}"#)), bad),
        ("security as a string", update(demo, &format!("\"{token}\"")), bad),
        ("security as an array", update(demo, &format!("[\"{token}\"]")), bad),
    ];
    let mut table = Table::default();
    for (name, message, expected) in rows {
        let mut viewer = doors.viewer();
        viewer.send(&text(&message));
        table.row(name, &viewer.next(), expected);
    }
    still_served(&mut other, 1);

    // These are read, and refused: the viewer's own stream goes on, so one connection asks them all.
    let mut viewer = doors.viewer();
    #[rustfmt::skip]
    let rows: Vec<(&str, String, String)> = vec![
        ("no security", update(demo, "{}"), refused(4903)),
        ("security null", update(demo, "null"), refused(4903)),
        ("empty token", update(demo, r#"{"token":"","options":"0"}"#), refused(4903)),
        ("altered token", update(demo, &format!(r#"{{"token":"{token}x","options":0}}"#)), refused(4901)),
        ("a bit more", update(demo, &format!(r#"{{"token":"{token}","options":2}}"#)), refused(4901)),
        ("options past a byte", update(demo, &format!(r#"{{"token":"{token}","options":256}}"#)), refused(4901)),
        ("a stream that is another's", update("\"ABCDE-other\"", &good), refused(4901)),
        ("a stream of nobody", update("\"ABCDE-never\"", &good), refused(4901)),
        ("a stream of another organisation", update("\"OTHER-demo\"", &good), refused(4901)),
        ("an option in the stream", update("\"ABCDE-demo socks=127.0.0.1:9\"", &good), refused(4400)),
        ("NUL in the stream", update(r#""ABCDE-demo\u0000""#, &good), refused(4400)),
        ("empty stream", update("\"\"", &good), refused(4400)),
        ("mixed case of the keys", update(demo, &good).replace("\"token\"", "\"Token\""), refused(4903)),
        ("an origin of nobody", update(demo, &good).replace("\"rtmp\":{", "\"rtmp\":{\"url\":\"rtmp://127.0.0.1:2/live\","), refused(4400)),
        ("an origin with an option", update(demo, &good).replace("\"rtmp\":{", "\"rtmp\":{\"url\":\"rtmp://127.0.0.1:1/live socks=127.0.0.1:9\","), refused(4400)),
    ];
    for (name, message, expected) in rows {
        viewer.send(&text(&message));
        table.row(name, &answer(&mut viewer), &expected);
    }
    // What is not for us is passed over, whatever its depth.
    let deep = format!(r#"{{"eventType":"onNothing","onNothing":{}}}"#, nest(1_000));
    viewer.send(&text(&deep));
    still_served(&mut viewer, 2);
    still_served(&mut other, 2);
    table.check();
}

/// The next answer to an `onUpdateSource`, with its code.
fn answer(viewer: &mut Raw) -> String {
    let frame = viewer.frame().expect("an answer");
    let name = frame.name();
    let json: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
    assert_eq!(json[&name]["requestId"], 1, "{json}");
    format!("{name} {}", json[&name]["code"])
}

#[test]
fn floods_end_with_a_code_and_disturb_nobody() {
    let doors = Doors::start();
    let mut other = doors.viewer();
    let ping = masked(0x89, &[b'x'; 125]);
    let unknown = text(r#"{"eventType":"onNothing"}"#);
    let (token, options) = (&doors.security.token, &doors.security.options);
    let renewal = text(&format!(
        r#"{{"eventType":"onUpdateSource","onUpdateSource":{{"rtmp":{{"stream":"ABCDE-demo"}},
        "security":{{"token":"{token}","options":{options}}}}}}}"#
    ));
    let rows = [
        ("pings", ping),
        ("pongs that nobody asked for", masked(0x8A, b"x")),
        ("messages", unknown),
        ("renewals", renewal),
    ];
    for (nth, (name, frame)) in rows.into_iter().enumerate() {
        let mut viewer = doors.viewer();
        // Far past the allowance; who sends without reading must not need an answer to go on.
        viewer.send(&frame.repeat(2_000));
        let mut answers = 0;
        let last = loop {
            match viewer.frame().map(|frame| frame.name()).as_deref() {
                Some("pong" | "onUpdateSourceSuccess" | "onUpdateSourceAbort") => answers += 1,
                last => break last.unwrap_or("end").to_owned(),
            }
        };
        assert_eq!(last, "close 1008", "{name}");
        assert!(answers <= 200, "{name}: {answers} answers");
        still_served(&mut other, nth);
    }
    // Fragments without end, of nothing: no message ever comes of them.
    let mut viewer = doors.viewer();
    viewer.send(&masked(0x01, b""));
    let nothing = masked(0x00, b"").repeat(1_000);
    for nth in 0..20 {
        if !viewer.try_send(&nothing) {
            break;
        }
        still_served(&mut other, 100 + nth);
    }
    assert_eq!(viewer.next(), "close 1008", "empty fragments");
}
