//! What is withdrawn ends on every door at once, and so does what has expired where the operator wants
//! that. ffmpeg → nginx-rtmp → h5live-server → viewers by WebSocket and HLS.
//!
//! Not covered: what the API refuses (`issuer_refusals.rs`), how long a thousand sessions take
//! (`benches/withdrawal`), doors of an element (`element_doors.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use h5live::token::Secret;
use serde_json::{Value, json};
use support::hls::{STREAM, Site};
use support::origin::Origin;
use support::playlist::Playlist;
use support::process::{Process, wait_until};
use support::server::{Options, Security, Server};
use support::viewer::{Received, Viewer};
use tempfile::TempDir;

/// The promise is one second, and `benches/withdrawal` measures it; a busy machine gets more here.
const PROMPTLY: Duration = Duration::from_secs(3);

const OTHER: &str = "ABCDE-other";

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Connects a viewer and waits until its session has begun.
fn watch(site: &Site, stream: &str, token: &Security) -> Viewer {
    let url = (site.server).websocket_url(&site.origin.url("live"), stream, token);
    let mut viewer = Viewer::connect(&url);
    assert!(viewer.next().is("onServerInfo"));
    viewer
}

/// The code that a viewer is closed with by then.
fn closed(viewer: &mut Viewer, deadline: Instant) -> Option<u16> {
    loop {
        match viewer.next_before(deadline)? {
            Received::Closed(code) => return Some(code),
            _ if Instant::now() > deadline => return None,
            _ => {}
        }
    }
}

fn update(stream: &str, token: &Security) -> Value {
    json!({"eventType": "onUpdateSource", "requestId": 1, "onUpdateSource": {
        "options": {}, "tag": "", "count": 1,
        "rtmp": {"url": "", "stream": stream},
        "security": {
            "expires": token.expires, "tag": token.tag,
            "token": token.token, "options": token.options,
        },
    }})
}

/// Whether a viewer's session is still answered.
fn lives(viewer: &mut Viewer) -> bool {
    let nothing = Security {
        expires: String::new(),
        tag: String::new(),
        token: "none".to_owned(),
        options: "0".to_owned(),
    };
    viewer.say(&update(STREAM, &nothing));
    let answered = |message: &Received| {
        message.is("onUpdateSourceError") || matches!(message, Received::Closed(_))
    };
    let last = viewer.until(answered).pop();
    last.is_some_and(|message| message.is("onUpdateSourceError"))
}

fn delete(site: &Site, path: &str) -> (u16, Value) {
    let mut answer = support::server::agent()
        .delete(format!("{}{path}", site.server.base()))
        .header("X-BINTU-APIKEY", site.server.api_key())
        .call()
        .unwrap();
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_json().unwrap_or(Value::Null))
}

#[test]
fn each_withdrawal_ends_what_it_is_about_and_nothing_else() {
    let site = Site::start();
    let _publisher = site.publish();
    let post = |path: &str, body: Value| site.server.post(path, &body);
    let revoke = |body: Value| post("/secure/revoke", body);
    let revoked = |sessions: u32, secrets: u32| json!({"sessions": sessions, "secrets": secrets});
    let own = |round: u32| format!("the secret of round {round}");
    let kid_of = |round: u32| Secret::new(own(round)).unwrap().key().kid().to_string();
    let names = ["tag a", "tag b", "orga", "other"];
    type Act<'a> = Box<dyn Fn(u32) -> (u16, Value) + 'a>;
    type Row<'a> = (&'a str, Act<'a>, Value, [bool; 4], [bool; 4]);
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        // What is done, how, the answer, whose sessions end, whose tokens open nothing after it.
        ("a tag", Box::new(|_| revoke(json!({"tag": "a"}))),
            revoked(1, 0), [true, false, false, false], [false; 4]),
        ("a tag of nobody", Box::new(|_| revoke(json!({"tag": "c"}))),
            revoked(0, 0), [false; 4], [false; 4]),
        ("another address", Box::new(|_| revoke(json!({"ip": "127.0.0.9"}))),
            revoked(0, 0), [false; 4], [false; 4]),
        ("an address on a stream", Box::new(|_| revoke(json!({"ip": "::ffff:127.0.0.1", "streamname": STREAM}))),
            revoked(3, 0), [true, true, true, false], [false; 4]),
        ("a stream", Box::new(|_| revoke(json!({"streamname": STREAM}))),
            revoked(3, 1), [true, true, true, false], [true, true, false, false]),
        ("a kid", Box::new(|round| revoke(json!({"kid": kid_of(round)}))),
            revoked(3, 2), [true, true, false, true], [true, true, false, true]),
        ("the organisation", Box::new(|_| revoke(json!({"orga": "ABCDE"}))),
            revoked(1, 1), [false, false, true, false], [false, false, true, false]),
        ("another secret", Box::new(|_| post("/secure/stream", json!({"streamname": STREAM, "secret": "quite another secret"}))),
            json!({"streamname": STREAM}), [true, true, false, false], [true, true, false, false]),
        ("the same secret", Box::new(|round| post("/secure/stream", json!({"streamname": STREAM, "secret": own(round)}))),
            json!({"streamname": STREAM}), [false; 4], [false; 4]),
        ("no secret", Box::new(|_| delete(&site, &format!("/secure/stream/{STREAM}"))),
            json!({"streamname": STREAM}), [true, true, false, false], [true, true, false, false]),
        ("no secret of the organisation", Box::new(|_| delete(&site, "/secure/orga")),
            json!({"orga": "ABCDE"}), [false, false, true, false], [false, false, true, false]),
    ];
    for (round, (name, act, answer, ended, void)) in (1..).zip(rows) {
        site.server.register(STREAM, &own(round));
        site.server.register(OTHER, &own(round));
        let secret = format!("the organisation's in round {round}");
        let registered = post("/secure/orga", json!({"orga": "ABCDE", "secret": secret}));
        assert_eq!(registered, (200, json!({"orga": "ABCDE"})), "{name}");
        let tokens = [
            (STREAM, site.mint(&json!({"tag": "a"}))),
            (STREAM, site.mint(&json!({"tag": "b"}))),
            (STREAM, site.server.mint(&json!({"orga": "ABCDE"}))),
            (OTHER, site.server.mint(&json!({"streamname": OTHER}))),
        ];
        let mut viewers = tokens
            .each_ref()
            .map(|(stream, token)| watch(&site, stream, token));
        // The first has media under way.
        viewers[0].until(|message| matches!(message, Received::Binary(_)));
        let (status, body) = act(round);
        let deadline = Instant::now() + PROMPTLY;
        assert_eq!((status, body), (200, answer), "{name}");
        for (index, viewer) in viewers.iter_mut().enumerate() {
            let who = names[index];
            if ended[index] {
                assert_eq!(closed(viewer, deadline), Some(4901), "{name}: {who}");
            } else {
                assert!(lives(viewer), "{name}: {who} goes on");
            }
            let (stream, token) = &tokens[index];
            let url = (site.server).websocket_url(&site.origin.url("live"), stream, token);
            let again = Viewer::connect(&url).next();
            match again {
                Received::Closed(code) => assert_eq!((code, void[index]), (4901, true), "{name}"),
                _ => assert!(!void[index], "{name}: {who} comes again"),
            }
        }
    }
    let log = site.server.log();
    assert!(!log.contains("in round"), "a secret is in the log");
    let gone = delete(&site, "/secure/stream/ABCDE-never");
    assert_eq!(gone.0, 404, "{gone:?}");
}

#[test]
fn a_session_is_ended_by_the_grant_that_it_was_renewed_with() {
    let site = Site::start();
    let before = site.mint(&json!({"tag": "before"}));
    let after = site.mint(&json!({"tag": "after"}));
    let mut viewer = watch(&site, STREAM, &before);
    let url = site.origin.url("live");
    let mut renewal = update(STREAM, &after);
    renewal["onUpdateSource"]["rtmp"]["url"] = json!(url);
    viewer.say(&renewal);
    viewer.until(|message| message.is("onUpdateSourceSuccess"));
    let revoke = |tag: &str| site.server.post("/secure/revoke", &json!({"tag": tag})).1;
    assert_eq!(revoke("before")["sessions"], 0);
    assert_eq!(revoke("after")["sessions"], 1);
    let deadline = Instant::now() + PROMPTLY;
    assert_eq!(closed(&mut viewer, deadline), Some(4901));
}

#[test]
fn hls_ends_with_its_playlist_its_segments_and_what_is_held() {
    let site = Site::start();
    let token = site.mint(&json!({"tag": "viewer 1"}));
    let url = site.playlist_url(&token);
    let revoke = |wish: Value| {
        let (status, answer) = site.server.post("/secure/revoke", &wish);
        assert_eq!(status, 200, "{answer}");
        answer["sessions"].clone()
    };
    let refused = |url: &str, code: u64| {
        let answer = site.get(url, &[]);
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code);
    };

    // Nobody publishes yet: the first request is held.
    let held_url = url.replacen("pid=", "pid=7", 1);
    thread::scope(|scope| {
        let held = scope.spawn(|| site.get(&held_url, &[]));
        wait_until("the held session", || {
            site.server.log().contains("viewer let in").then_some(())
        });
        assert_eq!(revoke(json!({"tag": "viewer 1"})), 1);
        let ended = Instant::now();
        let answer = held.join().unwrap();
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(answer.json()["error"]["code"], 4901);
        assert!(ended.elapsed() < PROMPTLY, "{:?}", ended.elapsed());
    });

    let _publisher = site.publish();
    let playlist = Playlist::read(&site.get(&url, &[]).text());
    let segment = playlist.segments[0].uri.clone().unwrap();
    let segment = format!("{}/h5live/authhttp/{segment}", site.server.base());
    assert_eq!(site.get(&segment, &[]).status, 200);
    assert_eq!(revoke(json!({"tag": "viewer 1"})), 1);
    refused(&url, 4901);
    refused(&url, 4901);
    assert_eq!(site.get(&segment, &[]).status, 404);
    // A tag alone withdraws no token: another player may come by it.
    let another = url.replacen("pid=", "pid=8", 1);
    assert_eq!(site.get(&another, &[]).status, 200);
    assert_eq!(revoke(json!({"streamname": STREAM})), 1);
    refused(&another, 4901);
    refused(&url.replacen("pid=", "pid=9", 1), 4901);
}

#[test]
fn a_download_ends_with_its_secret() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({"tag": "viewer 1"}));
    let url = site
        .playlist_url(&token)
        .replace("playlist.m3u8", "stream.mp4");
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("stream.mp4");
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--no-buffer", "--noproxy", "*", "--output"])
        .arg(&file)
        .arg(&url);
    let mut download = Process::start("curl", &mut command, &directory.path().join("curl.log"));
    download.wait_until("media", |_| {
        let length = std::fs::metadata(&file).ok()?.len();
        (length > 100_000).then_some(())
    });
    let (status, _) = delete(&site, &format!("/secure/stream/{STREAM}"));
    assert_eq!(status, 200);
    assert!(download.wait_for_exit().success(), "the response ends well");
}

#[test]
fn who_expires_is_closed_where_the_operator_wants_that_unless_renewed() {
    let origin = Origin::start();
    let start = |server: &str| {
        let server = Server::start(&Options {
            server: server.to_owned(),
            ..Options::with_origin(&origin.url("live"))
        });
        server.register(STREAM, "the secret of these viewers");
        server
    };
    let keeps = start("");
    let site = Site {
        server: start("on-expiry = \"close\""),
        origin,
    };
    let _publisher = site.publish();
    let expires = now() + 6;
    let wish = json!({"streamname": STREAM, "expires": expires});
    let token = site.server.mint(&wish);
    let mut ends = watch(&site, STREAM, &token);
    let mut renewed = watch(&site, STREAM, &token);
    let kept_url = keeps.websocket_url(&site.origin.url("live"), STREAM, &keeps.mint(&wish));
    let mut kept = Viewer::connect(&kept_url);
    let playlist = site.playlist_url(&token);
    let first = site.get(&playlist, &[]);
    assert_eq!(first.status, 200, "{}", first.text());

    renewed.until(|message| matches!(message, Received::Binary(_)));
    let later = site.mint(&json!({"expires": now() + 3600}));
    let mut renewal = update(STREAM, &later);
    renewal["onUpdateSource"]["rtmp"]["url"] = json!(site.origin.url("live"));
    renewed.say(&renewal);

    let code = closed(&mut ends, Instant::now() + Duration::from_secs(20));
    assert_eq!(code, Some(4903));
    let late = now() - expires;
    assert!(late < PROMPTLY.as_secs(), "{late} s late");
    let answer = site.get(&playlist, &[]);
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], 4903);

    // The others are still sent media that is newer than the end of the first.
    let mut random_access = Vec::new();
    let mut success = false;
    renewed.until(|message| {
        let restarted = message.is("onStreamInfo");
        assert!(!restarted, "a renewal interrupts nothing");
        success |= message.is("onUpdateSourceSuccess");
        if let Received::Event(name, payload) = message
            && name == "onRandomAccessPoint"
        {
            random_access.push(payload["streamTime"].as_u64().unwrap());
        }
        random_access.len() >= 10
    });
    assert!(success);
    let steps = random_access.windows(2).map(|two| two[1] - two[0]);
    let steps: Vec<u64> = steps.collect();
    assert!(
        steps.iter().all(|step| (900..=1100).contains(step)),
        "{steps:?}"
    );
    let mut points = 0;
    kept.until(|message| {
        points += usize::from(message.is("onRandomAccessPoint"));
        points >= 10
    });
}
