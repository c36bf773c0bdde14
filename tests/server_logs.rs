//! What the whole server writes, at its most talkative, holds no secret, API key or token: nor a piece
//! of one, nor one in percent encoding, hexadecimal, base64 or as a list of bytes.
//!
//! It is fed what is valid, what is altered and what stands in the wrong place, through every door.
//! Elsewhere: the API and the records alone (`issuer_logs.rs`), `Debug` of each type (its own tests).
//! Not covered: a token that a viewer puts into a well-formed stream name, which is logged as one; the
//! demo's output, which is made to show tokens, core dumps, and DOT files of pipelines.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use h5live::token::{Claims, Scope, Secret, StreamName, UnixSeconds, mint};
use serde_json::{Value, json};
use support::origin::Origin;
use support::process::wait_until;
use support::publisher::{Options as Media, Publisher};
use support::raw::{Raw, masked, upgrade};
use support::server::{Options, Server};

/// So many bytes of a secret in a row are a piece of it.
const PIECE: usize = 12;

/// Letters that no log writes by chance.
const SECRET: &str = "Qm7Zt4Lx9Rk2Vw8Ns3Hd6";
const REPLACED: &str = "Jb5Xy1Pf8Gc4Tz7Me9Wq2";
const WRONG_KEY: &str = "h5l_Uv3Kj8Sd5Fg1Hn6Bx0Cz9Qa2We7Rt4Yi1Op6Lm";

/// The ways in which bytes might be written.
const FORMS: [fn(&[u8]) -> String; 6] = [
    // Text as it is, other bytes as Rust shows them.
    |bytes| bytes.escape_ascii().to_string(),
    |bytes| bytes.iter().map(|byte| format!("%{byte:02x}")).collect(),
    |bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    |bytes| bytes.iter().map(|byte| format!("{byte}, ")).collect(),
    |bytes| bytes.iter().map(|byte| format!("0x{byte:02x}, ")).collect(),
    |bytes| STANDARD.encode(bytes),
];

/// What must not be in a log, by name.
#[derive(Default)]
struct Scanner(Vec<(String, Vec<u8>)>);

impl Scanner {
    fn secret(&mut self, name: &str, bytes: &[u8]) {
        self.0.push((name.to_owned(), bytes.to_owned()));
    }

    /// A token, and the mac in it; what stands before that is the id of its key, which logs may tell.
    fn token(&mut self, name: &str, token: &str) {
        self.secret(name, token.as_bytes());
        let raw = URL_SAFE_NO_PAD.decode(token).unwrap();
        self.secret(&format!("the mac of {name}"), &raw[5..]);
    }

    /// The name of each secret of which a piece stands in the text, and the line where it does.
    fn scan(&self, text: &str) -> Vec<String> {
        let text = text.to_ascii_lowercase();
        let mut found = Vec::new();
        for (name, secret) in &self.0 {
            let pieces = FORMS
                .iter()
                .flat_map(|form| secret.windows(PIECE).map(form));
            let hit = pieces
                .map(|piece| piece.to_ascii_lowercase())
                .find_map(|piece| {
                    let line = text.lines().find(|line| line.contains(&piece))?;
                    Some(format!("{name}: {line}"))
                });
            found.extend(hit);
        }
        found
    }
}

/// A door of the server, tried and told nothing of interest.
fn request(server: &Server, bytes: &[u8]) {
    let mut client = Raw::connect(server.port());
    client.send(bytes);
    if let Some(answer) = client.answer()
        && answer.status == 101
    {
        client.next();
    }
}

fn door(server: &Server, query: &str, headers: &str) {
    let target = format!("/h5live/authstream?{query}");
    request(server, &upgrade(target.as_bytes(), headers));
}

/// A text message, and whatever is answered to it.
fn say(viewer: &mut Raw, message: &str, until: &str) {
    viewer.send(&masked(0x81, message.as_bytes()));
    loop {
        let next = viewer.next();
        if next == until {
            return;
        }
        assert!(!next.starts_with("close"), "{next} after {message}");
    }
}

fn update(stream: &str, security: &Value) -> String {
    let update = json!({"rtmp": {"stream": stream}, "security": security});
    json!({"eventType": "onUpdateSource", "requestId": 1, "onUpdateSource": update}).to_string()
}

#[test]
fn no_log_line_holds_a_secret() {
    let origin = Origin::start();
    let _publisher = Publisher::start(&origin, "ABCDE-demo", &Media::default());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut server = Server::start(&Options {
        environment: vec![
            pair("H5LIVE_LOG", "trace"),
            pair("GST_DEBUG", "*:4,h5liveauthsink:6,rtmp2src:6,rtmpclient:5"),
            pair("GST_DEBUG_NO_COLOR", "1"),
            pair("RUST_BACKTRACE", "1"),
        ],
        more: "[limits]\napi-failures = 1000\n".to_owned(),
        ..Options::with_origin(&origin.url("live"))
    });
    let mut scanner = Scanner::default();
    for (name, secret) in [("the secret", SECRET), ("the replaced secret", REPLACED)] {
        scanner.secret(name, secret.as_bytes());
        let key = Secret::new(secret).unwrap().key();
        scanner.secret(&format!("the key of {name}"), key.signing_bytes());
    }
    scanner.secret("the API key", server.api_key().as_bytes());
    scanner.secret("the wrong API key", WRONG_KEY.as_bytes());

    // Registered, replaced, and once more as it is.
    for secret in [REPLACED, SECRET, SECRET] {
        server.register("ABCDE-demo", secret);
    }
    let valid = server.mint(&json!({"streamname": "ABCDE-demo"}));
    let fresh = server.mint(&json!({"streamname": "ABCDE-demo", "tag": "fresh"}));
    let orga = server.mint(&json!({"orga": "ABCDE", "tag": "orga"}));
    let past = Claims {
        expires: Some(UnixSeconds(1_591_747_200)),
        ..Claims::of(Scope::Stream(StreamName::parse("ABCDE-demo").unwrap()))
    };
    let expired = mint(&Secret::new(SECRET).unwrap().key(), &past).token;
    let (token, key) = (valid.token.clone(), server.api_key().to_owned());
    for (name, token) in [
        ("the valid token", &token),
        ("the fresh token", &fresh.token),
        ("the organisation's token", &orga.token),
        ("the expired token", &expired),
    ] {
        scanner.token(name, token);
    }

    misplaced(&server, &token, &key);
    api_of_all_kinds(&server, &key, &token);

    let demo = "stream=ABCDE-demo";
    let good = format!("{demo}&token={token}&options=0");
    door(
        &server,
        &format!("{demo}&token={expired}&options=1&expires=1591747200"),
        "",
    );
    door(
        &server,
        &format!("{demo}&token={}&options=24&tag=orga", orga.token),
        "",
    );
    let mut viewer = Raw::connect(server.port());
    viewer.send(&upgrade(
        format!("/h5live/authstream?{good}").as_bytes(),
        "",
    ));
    assert_eq!(viewer.outcome(), "101 onServerInfo");
    assert_eq!(viewer.next(), "onStreamInfo", "{}", server.log());
    let security = json!({"token": fresh.token, "options": 8, "tag": "fresh"});
    say(
        &mut viewer,
        &update("ABCDE-demo", &security),
        "onUpdateSourceSuccess",
    );
    let altered = json!({"token": fresh.token, "options": 0});
    say(
        &mut viewer,
        &update("ABCDE-demo", &altered),
        "onUpdateSourceError",
    );
    say(
        &mut viewer,
        &update(&token, &security),
        "onUpdateSourceError",
    );
    broken_messages(&server, &good, &token);

    drop(viewer);
    server.terminate();
    wait_until("the server to end", || (!server.is_running()).then_some(()));
    let log = server.log();
    for expected in [
        "a secret is registered",
        "a token is minted",
        "viewer let in",
        "viewer refused",
        "code=\"expired\"",
        "code=\"bad_request\"",
        "code=\"parameter_repeated\"",
        "a client's message can't be read",
        "an API request is refused",
        "INSERT INTO signing_keys",
        "pulling",
        "rtmp2src",
        "stopped",
    ] {
        assert!(
            log.contains(expected),
            "{expected} is not logged, so the scan sees too little"
        );
    }
    assert_eq!(scanner.scan(&log), Vec::<String>::new());

    // That it would have been found: the middle of each secret, in each form, in the same log.
    let written = scanner.0.iter().flat_map(|(name, secret)| {
        let piece = &secret[3..3 + PIECE];
        FORMS.iter().map(move |form| (name, form(piece)))
    });
    for (name, piece) in written {
        let found = scanner.scan(&format!("INFO a line\nINFO it is <{piece}>\n"));
        assert!(
            found.iter().any(|found| found.starts_with(name)),
            "{name} as {piece}"
        );
    }
}

/// Tokens and keys where other things belong.
fn misplaced(server: &Server, token: &str, key: &str) {
    let good = format!("stream=ABCDE-demo&token={token}&options=0");
    let encoded: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let cut = &token[..40];
    for query in [
        format!("stream=ABCDE-demo&token={encoded}&options=1"),
        format!("stream=ABCDE-demo&token={cut}&options=0"),
        format!("stream=ABCDE-demo&token={token}{token}&options=0"),
        format!("stream=ABCDE-demo&h5live.security.token={token}"),
        format!("stream=ABCDE-demo&{token}=x&{token}"),
        format!("stream={token}&token={token}&options=0"),
        format!("stream=ABCDE-demo%3Ftoken={token}&token={token}&options=2"),
        format!("stream=ABCDE-demo&token={token}&options={token}"),
        format!("stream=ABCDE-demo&token={token}&options=1&expires={token}"),
        format!("stream=ABCDE-demo&token={token}&options=0&tag={token}"),
        format!("stream=ABCDE-demo&token={token}&options=4"),
        format!("stream=ABCDE-demo&token=%{token}&options=0"),
        format!("stream=ABCDE-demo&jwtoken={token}"),
        format!("{good}&token={token}&token={token}"),
        format!("{good}&url=rtmp://{token}@127.0.0.1/live"),
        format!("{good}&url={token}"),
        format!("{good}&flags={token}&cid={token}&pid={token}"),
        format!("{good}&flags=checkandclose&x=%FF"),
        format!("{good}&flags=checkandclose"),
    ] {
        door(server, &query, "");
    }
    let page = format!("https://demo.example.de/?{good}");
    for header in [
        "Origin",
        "Referer",
        "Cookie",
        "X-Forwarded-For",
        "X-BINTU-APIKEY",
        "token",
    ] {
        door(
            server,
            "stream=ABCDE-demo&options=4&token=x",
            &format!("{header}: {page}\r\n"),
        );
        door(server, &format!("{good}4"), &format!("{header}: {key}\r\n"));
    }
    for target in [
        format!("/?h5live.rtmp.streamname=ABCDE-demo&h5live.security.token={token}"),
        format!("/player.js?{good}"),
        format!("/healthz?{key}"),
        format!("/h5live/authstream/{token}?{good}"),
        format!("/secure/token/{token}"),
        format!("/secure/token?X-BINTU-APIKEY={key}&secret={SECRET}"),
        format!("http://{token}:{SECRET}@127.0.0.1/?{key}"),
        format!("{token} {token}"),
        format!("/\u{e9}{token}\\{key}\"{SECRET}"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {key}.test\r\nX: {token}\r\n\r\n");
        request(server, head.as_bytes());
    }
    // No HTTP at all.
    request(server, format!("{token}\r\n\r\n").as_bytes());
    request(
        server,
        format!("GET / HTTP/1.1\r\n{token}\0: {key}\r\n\r\n").as_bytes(),
    );
    request(server, format!("GET / HTTP/{token}\r\n\r\n").as_bytes());
}

/// The API with wrong keys, and with right ones and bad bodies.
fn api_of_all_kinds(server: &Server, key: &str, token: &str) {
    let good = json!({"streamname": "ABCDE-demo", "secret": SECRET});
    assert_eq!(
        server.post_with_key("/secure/stream", WRONG_KEY, &good).0,
        401
    );
    assert_eq!(server.post_with_key("/secure/token", token, &good).0, 401);
    assert_eq!(server.post_with_key("/secure/none", key, &good).0, 404);
    for body in [
        json!({"streamname": "ABCDE-demo", "secret": {"value": SECRET}}),
        json!({"streamname": "ABCDE-demo", "secret": [SECRET, key]}),
        json!({"streamname": "ABCDE-demo", "secret": SECRET, SECRET: key}),
        json!({"streamname": SECRET, "secret": SECRET}),
        json!({"streamname": format!("ABCDE-{key}-{token} "), "secret": SECRET}),
        json!({"streamname": "ABCDE-demo", "secret": SECRET.repeat(13)}),
        json!({"streamname": "OTHER-demo", "secret": SECRET}),
        json!({"streamname": "ABCDE-demo", "expires": SECRET, "tag": token}),
        json!({"streamname": "ABCDE-demo", "ip": key}),
        json!({"streamname": "ABCDE-demo", "referer": format!("https://{token}/")}),
        json!({"streamname": "ABCDE-demo", "tag": format!("{token}\u{0}")}),
        json!({"orga": key}),
        json!(SECRET),
        json!([key, SECRET, token]),
    ] {
        for path in ["/secure/stream", "/secure/token"] {
            let (status, answer) = server.post(path, &body);
            assert!((400..500).contains(&status), "{status} {answer}");
        }
    }
    for body in [
        format!("{{\"secret\": \"{SECRET}\""),
        format!("secret={SECRET}"),
    ] {
        let head = format!(
            "POST /secure/stream HTTP/1.1\r\nHost: h\r\nX-BINTU-APIKEY: {key}\r\n\
             Content-Type: application/json; secret={SECRET}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        request(server, head.as_bytes());
        let json = format!("; secret={SECRET}");
        request(server, head.replace(&json, "").as_bytes());
    }
}

/// Messages of a viewer that can't be read, with a token where something else belongs.
fn broken_messages(server: &Server, good: &str, token: &str) {
    let text = json!(token);
    for message in [
        token.to_owned(),
        text.to_string(),
        json!([token]).to_string(),
        json!({"eventType": {"token": token}}).to_string(),
        json!({token: token}).to_string(),
        json!({"eventType": "onUpdateSource", "onUpdateSource": token}).to_string(),
        json!({"eventType": "onUpdateSource", "onUpdateSource": {"rtmp": token}}).to_string(),
        update("ABCDE-demo", &text),
        update("ABCDE-demo", &json!([token])),
        update("ABCDE-demo", &json!({"token": [token], "options": 0})),
        update("ABCDE-demo", &json!({"token": token, "options": [token]})),
        format!("{{\"eventType\":\"onUpdateSource\",\"{token}"),
    ] {
        let mut viewer = Raw::connect(server.port());
        viewer.send(&upgrade(
            format!("/h5live/authstream?{good}").as_bytes(),
            "",
        ));
        assert_eq!(viewer.outcome(), "101 onServerInfo");
        say(&mut viewer, &message, "close 4400");
    }
}
