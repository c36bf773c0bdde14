//! What a publisher says besides picture and sound reaches viewers: onMetaData, onTextData, cue points and
//! others, through the embedded origin and through pulls, on the WebSocket and in the page.
//!
//! Not covered: nginx-rtmp 1.2.2 passes on onMetaData alone (`server_playback.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::time::Duration;

use browser::Browser;
use serde_json::{Value, json};
use support::process::free_port;
use support::server::{Options, Server};
use support::tape::{self, Relay, Tape};
use support::viewer::{Received, Viewer};
use tempfile::TempDir;

const STREAM: &str = "ABCDE-demo";
const KEY: &str = "a.publish.key-of_ABCDE~demo";
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads until all was said; what that was.
fn listen(viewer: &mut Viewer) -> Vec<(String, Value)> {
    let mut cues = 0;
    let received = viewer.until(|message| {
        cues += usize::from(said(message).is_some_and(|(handler, ..)| handler == "onMetaData"));
        // What describes the tracks, and eight titles.
        cues == 9
    });
    let mut shown = 0.0;
    for message in &received {
        match message {
            Received::Event(name, point) if name == "onRandomAccessPoint" => {
                shown = point["streamTime"].as_f64().unwrap() / 1000.0;
            }
            message => {
                if let Some((handler, _, time)) = said(message)
                    && handler == "onCuePoint"
                {
                    assert!((shown..shown + 1.1).contains(&time), "{time} s, {shown} s");
                }
            }
        }
    }
    let said = received.iter().filter_map(said);
    said.map(|(handler, message, _)| (handler, message))
        .collect()
}

/// Handler, message and time in seconds.
fn said(message: &Received) -> Option<(String, Value, f64)> {
    let Received::Event(name, event) = message else {
        return None;
    };
    (name == "onMetaData").then(|| {
        assert_eq!(
            (&event["chunkIndex"], &event["chunkCount"]),
            (&json!(1), &json!(1))
        );
        let message = event["message"].as_str().unwrap();
        (
            event["handlerName"].as_str().unwrap().to_owned(),
            serde_json::from_str(message).expect("JSON"),
            event["streamTime"].as_f64().unwrap(),
        )
    })
}

fn check(told: &[(String, Value)], expected: &[(&str, Value)]) {
    let (first, description) = &told[0];
    assert_eq!(first, "onMetaData");
    assert_eq!(
        (
            &description["width"],
            &description["videocodecid"],
            &description["stereo"]
        ),
        (&json!(320), &json!(7), &json!(false)),
        "{description}"
    );
    let rest: Vec<_> = told[1..]
        .iter()
        .map(|(name, value)| (&name[..], value.clone()))
        .collect();
    assert_eq!(rest, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_hear_what_is_said_to_the_embedded_origin() {
    let keys = TempDir::new().unwrap();
    let file = keys.path().join("demo.key");
    std::fs::write(&file, KEY).unwrap();
    let port = free_port();
    let server = Server::start(&Options {
        more: format!(
            "[origin.embedded]\nlisten = \"127.0.0.1:{port}\"\n\
             [[origin.embedded.streams]]\nname = \"{STREAM}\"\nkey-file = {file:?}\n"
        ),
        ..Options::default()
    });
    server.register(STREAM, "the secret of these listeners");
    let token = server.mint(&json!({"streamname": STREAM}));
    let origin = format!("rtmp://127.0.0.1:{port}/live");
    let mut viewer = Viewer::connect(&server.websocket_url(&origin, STREAM, &token));
    let browser = Browser::open(browser::Options::default()).await;
    browser
        .goto(&server.page_url(&server.base(), &origin, STREAM, &token))
        .await;

    let mut tape = Tape::record();
    let expected = tape::talk(&mut tape);
    let publisher = tape::publish(port, &format!("{STREAM}?key={KEY}"), tape);
    let told = tokio::task::spawn_blocking(move || listen(&mut viewer));
    check(&told.await.unwrap(), &expected);

    // The page shows the newest twenty first.
    browser
        .wait_until(
            "document.querySelector('#metadata-count').textContent == '33'",
            PATIENCE,
        )
        .await;
    let shown = browser
        .execute(
            "return [...document.querySelectorAll('#metadata-list li')].slice(0, 3).map(
               (item) => [item.querySelector('strong').textContent.split(' ')[0],
                          JSON.parse(item.querySelector('pre').textContent)])",
        )
        .await;
    let newest: Vec<_> = expected
        .iter()
        .rev()
        .take(3)
        .map(|(name, value)| json!([name, value]))
        .collect();
    assert_eq!(shown, json!(newest));
    publisher.join().unwrap();
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// librtmp reads all of it, and gives away what describes the stream.
#[test]
fn viewers_hear_what_an_origin_passes_on_to_rtmpsrc() {
    through("rtmpsrc", |handler| handler == "onMetaData");
}

#[test]
fn viewers_hear_what_an_origin_passes_on_to_rtmp2src() {
    through("rtmp2src", |_| true);
}

fn through(element: &str, passes: impl Fn(&str) -> bool) {
    let mut tape = Tape::record();
    let mut expected = tape::talk(&mut tape);
    expected.retain(|(handler, _)| passes(handler));
    let relay = Relay::start(tape);
    let server = Server::start(&Options {
        more: format!(
            "[[origins]]\nname = \"relay\"\nurl = \"{}\"\nelement = \"{element}\"\n",
            relay.url()
        ),
        ..Options::default()
    });
    server.register(STREAM, "the secret of these listeners");
    let token = server.mint(&json!({"streamname": STREAM}));
    let mut viewer = Viewer::connect(&server.websocket_url(&relay.url(), STREAM, &token));
    check(&listen(&mut viewer), &expected);
}
