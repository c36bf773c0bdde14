//! From which of several origins the streams of an organisation are played. ffmpeg → two nginx-rtmp, with
//! the same names and other pictures → h5live-server → viewers by WebSocket and HLS.
//!
//! Not covered: what a URL may look like that selects an origin (`src/origin/table/tests.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::json;
use support::origin::Origin;
use support::publisher::{self, Publisher};
use support::server::{Options, Security, Server, agent};
use support::viewer::{Received, Viewer};
use url::form_urlencoded::Serializer;

const OURS: &str = "ABCDE-demo";
const THEIRS: &str = "OTHER-demo";

fn query(origin: Option<&str>, stream: &str, token: &Security) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("stream", stream);
    query.extend_pairs(origin.map(|origin| ("url", origin)));
    query.extend_pairs(token.pairs());
    query.finish()
}

/// What a viewer sees: the picture's width, or the code that it is closed with.
fn seen(server: &Server, query: &str) -> u64 {
    let mut viewer = Viewer::connect(&format!("{}?{query}", server.websocket()));
    let answer =
        |message: &Received| message.is("onStreamInfo") || matches!(message, Received::Closed(_));
    match viewer.until(answer).pop().unwrap() {
        Received::Event(_, info) => info["videoInfo"]["width"].as_u64().unwrap(),
        Received::Closed(code) => code.into(),
        Received::Binary(_) => unreachable!(),
    }
}

#[test]
fn an_organisation_plays_from_its_origins_and_no_others() {
    let (wide, narrow) = (Origin::start(), Origin::start());
    let _publishers: Vec<_> = [(&wide, 320, 180), (&narrow, 160, 90)]
        .into_iter()
        .flat_map(|(origin, width, height)| {
            let options = publisher::Options {
                width,
                height,
                fps: 10,
                keyframe_interval: 10,
                audio: false,
                ..publisher::Options::default()
            };
            [OURS, THEIRS].map(|stream| Publisher::start(origin, stream, &options))
        })
        .collect();
    let (wide_url, narrow_url) = (wide.url("live"), narrow.url("live"));
    let server = Server::start(&Options {
        more: format!(
            "[[origins]]\nname = \"narrow\"\nurl = \"{narrow_url}\"\norganisations = [\"OTHER\"]\n\
             aliases = [\"rtmp://narrow.example.test/live\"]\n\
             [[origins]]\nname = \"wide\"\nurl = \"{wide_url}\"\n\
             [origin.embedded]\nlisten = \"127.0.0.1:0\"\norganisations = [\"OTHER\"]\n\
             urls = [\"rtmp://embedded.example.test/live\"]\n"
        ),
        server: format!("open-streams = [\"{OURS}\"]"),
        ..Options::default()
    });
    let ours = server.mint(&json!({"orga": "ABCDE"}));
    let theirs = server.mint_with_key(&server.add_account("OTHER"), &json!({"orga": "OTHER"}));
    let alias = "rtmp://narrow.example.test/live";
    let embedded = "rtmp://embedded.example.test/live";
    let unlisted = "rtmp://elsewhere.example.test/live";

    let rows = [
        ("ours, none named", None, &ours, OURS, 320),
        (
            "ours, for everybody",
            Some(wide_url.as_str()),
            &ours,
            OURS,
            320,
        ),
        (
            "ours, for others",
            Some(narrow_url.as_str()),
            &ours,
            OURS,
            4400,
        ),
        (
            "ours, for others by its alias",
            Some(alias),
            &ours,
            OURS,
            4400,
        ),
        (
            "ours, embedded for others",
            Some(embedded),
            &ours,
            OURS,
            4400,
        ),
        ("ours, unlisted", Some(unlisted), &ours, OURS, 4400),
    ];
    for (name, origin, token, stream, expected) in rows {
        assert_eq!(
            seen(&server, &query(origin, stream, token)),
            expected,
            "{name}"
        );
    }
    // Told in the same words on the doors that are fetched, the open ones among them.
    let told = |door: &str, origin: &str| {
        let query = query(Some(origin), OURS, &ours);
        let url = format!("{}/h5live/{door}?{query}", server.base());
        let mut answer = agent().get(&url).call().unwrap();
        (answer.status(), answer.body_mut().read_to_string().unwrap())
    };
    for door in [
        "authhttp/playlist.m3u8",
        "authhttp/stream.mp4",
        "http/playlist.m3u8",
    ] {
        let (status, body) = told(door, alias);
        assert_eq!(status, 400, "{door}: {body}");
        assert_eq!((status, body), told(door, unlisted), "{door}");
    }
    assert_eq!(narrow.plays(OURS), 0, "nothing of ours was asked for there");

    let rows = [
        ("theirs, none named", None, 160),
        ("theirs, their own", Some(narrow_url.as_str()), 160),
        ("theirs, by its alias", Some(alias), 160),
        ("theirs, for everybody", Some(wide_url.as_str()), 320),
    ];
    for (name, origin, expected) in rows {
        assert_eq!(
            seen(&server, &query(origin, THEIRS, &theirs)),
            expected,
            "{name}"
        );
    }
    // Nobody publishes to the embedded origin: who may use it waits.
    let waits = query(Some(embedded), THEIRS, &theirs);
    let mut viewer = Viewer::connect(&format!("{}?{waits}", server.websocket()));
    assert!(viewer.next().is("onServerInfo"));
}
