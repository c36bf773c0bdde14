//! Who is let in by RTSP, and what the others are told: a status and nothing of the stream.
//! ffmpeg → h5live-server → RTSP by the byte.
//!
//! Not covered: what a token is refused for in detail, which is the same at all doors (`doors_refuse.rs`).
#![cfg(all(feature = "server", feature = "rtsp"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::process::PATIENCE;
use support::rtsp::{Answer, OTHER, Rtsp, STREAM, Site, token};

fn describe(site: &Site, url: &str) -> Answer {
    let mut client = Rtsp::connect(site.rtsp);
    let answer = client.ask("DESCRIBE", url, "Accept: application/sdp\r\n");
    if answer.status != 200 {
        assert_eq!(client.rest(PATIENCE), Some(Vec::new()), "{url}");
    }
    answer
}

#[test]
fn whoever_has_no_token_for_it_learns_nothing_of_a_stream() {
    let site = Site::start(
        "[limits]\nhandshake-timeout = \"2s\"\nmax-header-bytes = 8192\n",
        "",
    );
    let good = token("guest", Some(3600));
    let url = site.url(&good);
    let granted = describe(&site, &url);
    assert_eq!(granted.status, 200, "{granted:?}");
    assert!(granted.body.contains("H264/90000"), "{granted:?}");
    assert!(!granted.body.contains(&good.token) && !granted.head.contains(&good.token));

    let (address, query) = url.split_once('?').unwrap();
    let altered = url.replace("tag=guest", "tag=other");
    let rows = [
        ("no token", address.to_owned(), 403),
        ("altered", altered, 403),
        ("expired", site.url(&token("guest", Some(-5))), 403),
        ("another stream", site.url_of(OTHER, &good), 403),
        ("two streams", format!("{url}&stream={OTHER}"), 403),
        ("no stream", format!("rtsp://127.0.0.1/?{query}"), 400),
        ("no name", format!("rtsp://127.0.0.1/a%20b?{query}"), 400),
        ("a path", format!("{address}/x?{query}"), 400),
        (
            "a login",
            url.replace("rtsp://", "rtsp://user:password@"),
            400,
        ),
        ("no origin", format!("{url}&url=rtmp://192.0.2.1/live"), 400),
        ("two tokens", format!("{url}&token=x"), 403),
    ];
    for (case, url, status) in &rows {
        let answer = describe(&site, url);
        assert_eq!(answer.status, *status, "{case}: {answer:?}");
        assert_eq!(answer.body, "", "{case}");
        let told = ["Content-Type", "Content-Base", "Session"].map(|name| answer.header(name));
        assert_eq!(told, [None; 3], "{case}: {answer:?}");
    }

    // Whatever is asked before DESCRIBE, and with whatever token.
    let long = format!("X-Long: {}\r\n", "x".repeat(9000));
    let by = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    for (method, headers, status) in [
        ("SETUP", by, 455),
        ("PLAY", "", 455),
        ("PAUSE", "", 455),
        ("TEARDOWN", "", 455),
        ("GET_PARAMETER", "", 455),
        ("ANNOUNCE", "", 405),
        ("RECORD", "", 405),
        ("REDIRECT", "", 501),
    ] {
        let mut client = Rtsp::connect(site.rtsp);
        let answer = client.ask(method, &url, headers);
        assert_eq!((answer.status, &answer.body[..]), (status, ""), "{method}");
        assert_eq!(client.rest(PATIENCE), Some(Vec::new()), "{method}");
    }
    for request in [
        format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n{long}\r\n"),
        format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nCSeq: 2\r\n\r\n"),
        format!("DESCRIBE {url} RTSP/1.0\r\nContent-Length: 99999\r\n\r\n"),
        format!("GET {url} HTTP/1.1\r\nx-sessioncookie: 1\r\n\r\n"),
        format!("DESCRIBE {url} RTSP/1.0\r\nNo header\r\n\r\n"),
        "$\0\0\u{4}abcd".to_owned(),
        "RTSP/1.0 200 OK\r\n\r\n".to_owned(),
    ] {
        let mut client = Rtsp::connect(site.rtsp);
        client.send(&request);
        let said = String::from_utf8(client.rest(PATIENCE).unwrap()).unwrap();
        let expected = "RTSP/1.0 400 Bad Request\r\n";
        // What was sent after the answer may have reset the connection, and the answer with it.
        assert!(
            said.starts_with(expected) || said.is_empty(),
            "{request}: {said}"
        );
        assert!(!said.contains("m=video"), "{request}: {said}");
    }

    // It tells the same of everything.
    let options = |url: &str| {
        let answer = Rtsp::connect(site.rtsp).ask("OPTIONS", url, "");
        assert_eq!(answer.status, 200);
        answer.head
    };
    assert_eq!(options("*"), options(&url));
    assert_eq!(options(&url), options("rtsp://127.0.0.1/ABCDE-none"));

    // One that asks nothing does not stay.
    let mut silent = Rtsp::connect(site.rtsp);
    assert!(silent.rest(PATIENCE).is_some());

    let log = site.server.log();
    for (.., secret) in good
        .pairs()
        .into_iter()
        .filter(|(name, _)| *name == "token")
    {
        assert!(!log.contains(secret), "the token is in the log");
    }
    for code in ["token_missing", "mismatch", "expired", "unknown_origin"] {
        assert!(log.contains(code), "{code} is not in the log:\n{log}");
    }
}

#[test]
fn a_viewer_gets_nothing_but_what_it_was_granted() {
    let site = Site::start("[limits]\nhandshake-timeout = \"2s\"\n", "");
    let url = site.url(&token("guest", None));
    let mut other = Rtsp::connect(site.rtsp);
    let setup = other.play(&site.url(&token("other", None)));
    let foreign = setup.header("Session").unwrap().split(';').next().unwrap();

    let mut client = Rtsp::connect(site.rtsp);
    let answer = client.ask("DESCRIBE", &url, "");
    assert_eq!(answer.status, 200);
    let base = answer.header("Content-Base").unwrap().to_owned();
    assert!(!base.contains('?'), "{base}");
    let elsewhere = base.replace(STREAM, OTHER);
    let by = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    let third = "Transport: RTP/AVP;unicast;destination=192.0.2.1;client_port=9000-9001\r\n";
    let video = format!("{base}stream=0");
    for (method, url, headers, status) in [
        ("SETUP", format!("{elsewhere}stream=0"), by, 403),
        ("DESCRIBE", elsewhere.clone(), "", 403),
        ("DESCRIBE", url.replace("guest", "other"), "", 403),
        ("PLAY", elsewhere, "", 403),
        ("PLAY", "*".to_owned(), "", 403),
        ("SETUP", video.clone(), third, 461),
        (
            "SETUP",
            video.clone(),
            "Transport: RTP/AVP;multicast\r\n",
            461,
        ),
        ("SETUP", video.clone(), "", 461),
        ("ANNOUNCE", base.clone(), "", 405),
        ("RECORD", base.clone(), "", 405),
        (
            "PLAY",
            base.clone(),
            &format!("Session: {foreign}\r\n"),
            454,
        ),
        (
            "TEARDOWN",
            base.clone(),
            &format!("Session: {foreign}\r\n"),
            454,
        ),
        ("OPTIONS", "*".to_owned(), "", 200),
        ("SETUP", video, by, 200),
    ] {
        let answer = client.ask(method, &url, headers);
        assert_eq!(
            answer.status, status,
            "{method} {url} {headers}: {answer:?}"
        );
    }
    // The other plays on, and whoever does not begin to is not kept.
    assert!(other.source().is_some());
    assert!(client.rest(PATIENCE).is_some());
    assert!(other.source().is_some());
}

#[test]
fn limits_hold_at_this_door_too() {
    let limits = "[limits]\nmax-viewers = 2\nsessions-per-token = 1\n";
    let site = Site::start(limits, "");
    let [first, second, third] = ["a", "b", "c"].map(|tag| site.url(&token(tag, None)));
    let mut playing = Rtsp::connect(site.rtsp);
    playing.play(&first);
    let again = describe(&site, &first);
    assert_eq!(again.status, 503, "one session a token: {again:?}");
    assert_eq!(again.header("Retry-After"), Some("2"));
    let mut also = Rtsp::connect(site.rtsp);
    also.play(&second);
    assert_eq!(describe(&site, &third).status, 503, "two viewers at once");
    drop(playing);
    support::process::wait_until("its place to be free", || {
        (describe(&site, &third).status == 200).then_some(())
    });
    assert!(also.source().is_some());
}
