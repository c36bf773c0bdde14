//! A publisher comes back with another picture and other sound, and with none, or changes them on its
//! way: what every door then gives whoever plays, from a foreign origin and from the embedded one.
//!
//! Not covered: an origin that goes away (`server_page.rs`, `origin_pull.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::time::Duration;

use browser::Browser;
use serde_json::json;
use support::follow::{download, follow};
use support::form::Form;
use support::origin::Origin;
use support::process::free_port;
use support::publisher::Publisher;
use support::server::{Options, Security, Server};
use support::tape::{self, Relay, Tape};
use support::viewer::{Received, Viewer};
use tempfile::TempDir;
use url::form_urlencoded::Serializer;

const STREAM: &str = "ABCDE-demo";
const KEY: &str = "a.publish.key-of_ABCDE~demo";
const PATIENCE: Duration = Duration::from_secs(60);

/// Where it is published to.
enum Place {
    Nginx(Origin),
    Embedded { port: u16, _keys: TempDir },
}

struct Site {
    server: Server,
    place: Place,
    url: String,
    token: Security,
}

impl Site {
    fn with_nginx() -> Site {
        let origin = Origin::start();
        let url = origin.url("live");
        Site::start(
            Place::Nginx(origin),
            url.clone(),
            &Options::with_origin(&url),
        )
    }

    fn embedded() -> Site {
        let keys = TempDir::new().unwrap();
        let file = keys.path().join("demo.key");
        std::fs::write(&file, KEY).unwrap();
        let port = free_port();
        let more = format!(
            "[origin.embedded]\nlisten = \"127.0.0.1:{port}\"\n\
             [[origin.embedded.streams]]\nname = \"{STREAM}\"\nkey-file = {file:?}\n"
        );
        let options = Options {
            more,
            ..Options::default()
        };
        let url = format!("rtmp://127.0.0.1:{port}/live");
        Site::start(Place::Embedded { port, _keys: keys }, url, &options)
    }

    fn start(place: Place, url: String, options: &Options) -> Site {
        let server = Server::start(options);
        server.register(STREAM, "the secret of these changes");
        let token = server.mint(&json!({"streamname": STREAM}));
        Site {
            server,
            place,
            url,
            token,
        }
    }

    fn publish(&self, form: &Form) -> Publisher {
        let options = form.options();
        match &self.place {
            Place::Nginx(origin) => Publisher::start(origin, STREAM, &options),
            Place::Embedded { .. } => {
                Publisher::start_at(&format!("{}/{STREAM}?key={KEY}", self.url), &options)
            }
        }
    }

    fn viewer(&self) -> Viewer {
        let url = (self.server).websocket_url(&self.url, STREAM, &self.token);
        Viewer::connect(&url)
    }

    fn page(&self) -> String {
        (self.server).page_url(&self.server.base(), &self.url, STREAM, &self.token)
    }

    /// The URL of what is fetched from the gated doors.
    fn fetched(&self, name: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs([("url", self.url.as_str()), ("stream", STREAM)]);
        query.extend_pairs([("cid", "1"), ("pid", "2")]);
        query.extend_pairs(self.token.pairs());
        format!(
            "{}/h5live/authhttp/{name}?{}",
            self.server.base(),
            query.finish()
        )
    }
}

const FIRST: Form = Form {
    picture: (640, 360),
    sound: Some((44_100, 1)),
};
const SECOND: Form = Form {
    picture: (426, 240),
    sound: Some((48_000, 2)),
};
const THIRD: Form = Form {
    picture: (320, 180),
    sound: None,
};

/// Reads from a start to the stop behind it, or to so many fragments; what was played.
fn play(viewer: &mut Viewer, start: &str, fragments: usize) -> Form {
    let mut begun = viewer.until(|message| message.is(start));
    let Some(Received::Event(_, info)) = begun.pop() else {
        panic!("{begun:?}");
    };
    let mut seen = 0;
    let received = viewer.until(|message| {
        seen += usize::from(matches!(message, Received::Binary(_)));
        assert!(!message.is("onStreamInfo") && !message.is("onStreamStatus"));
        seen == fragments
    });
    let (form, frames) = Form::decoded(&support::viewer::media(&received));
    assert_eq!(form, Form::told(&info));
    assert!(frames + 10 > fragments * 2 / 3, "{frames} of {fragments}");
    form
}

async fn page_plays(browser: &Browser, form: Form) {
    let height = form.picture.1;
    let (audible, (left, right)) = (form.sound.is_some(), ("window.seen", "framesDecoded"));
    browser
        .wait_until(
            &format!(
                "document.querySelector('video').videoHeight == {height} \
                 && h5live.snapshot().streamInfo.haveAudio == {audible}"
            ),
            PATIENCE,
        )
        .await;
    browser
        .execute(&format!("{left} = h5live.snapshot().{right}"))
        .await;
    browser
        .wait_until(
            &format!(
                "h5live.snapshot().state == 'playing' && h5live.snapshot().{right} > {left} + 20"
            ),
            PATIENCE,
        )
        .await;
}

async fn publisher_comes_back(site: Site) {
    let publisher = site.publish(&FIRST);
    let mut viewer = site.viewer();
    let segments = follow(site.fetched("playlist.m3u8"), 3);
    let file = download(site.fetched("stream.mp4"));
    let browser = Browser::open(browser::Options::default()).await;
    browser.goto(&site.page()).await;
    page_plays(&browser, FIRST).await;
    assert_eq!(play(&mut viewer, "onStreamInfo", 60), FIRST);

    publisher.stop();
    viewer.until(|message| message.is("onStreamStatus"));
    let (form, frames) = Form::decoded(&file.join().unwrap());
    assert_eq!(form, FIRST);
    assert!(frames > 30, "{frames}");

    for (form, next) in [(SECOND, true), (THIRD, false)] {
        let publisher = site.publish(&form);
        let file = download(site.fetched("stream.mp4"));
        assert_eq!(play(&mut viewer, "onStreamInfo", 60), form);
        page_plays(&browser, form).await;
        if next {
            publisher.stop();
            viewer.until(|message| message.is("onStreamStatus"));
            assert_eq!(Form::decoded(&file.join().unwrap()).0, form);
        } else {
            let (files, discontinuities) = segments.join().unwrap();
            let forms: Vec<Form> = files.iter().map(|file| Form::decoded(file).0).collect();
            assert_eq!(forms, [FIRST, SECOND, THIRD]);
            assert_eq!(discontinuities, 2);
            publisher.stop();
            assert_eq!(Form::decoded(&file.join().unwrap()).0, form);
            break;
        }
    }
    let same = "return [h5live.snapshot().reconnects, h5live.snapshot().code]";
    assert_eq!(browser.execute(same).await, json!([0, 0]), "one socket");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_comes_back_to_nginx() {
    publisher_comes_back(Site::with_nginx()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_comes_back_to_the_embedded_origin() {
    publisher_comes_back(Site::embedded()).await;
}

/// Five seconds in one form and seven in another.
fn changing() -> Tape {
    let tape = |form: Form, seconds| Tape::of(form.picture, form.sound.unwrap(), seconds);
    tape(FIRST, 5).then(tape(SECOND, 7))
}

/// What a WebSocket gets of [`changing`]: one stream, whose second half is an update.
fn assert_updated(viewer: &mut Viewer) {
    let mut point = 0;
    let mut form = None;
    let mut half = Vec::new();
    let mut halves = Vec::new();
    let mut keyframes = 0;
    viewer.until(|message| {
        match message {
            Received::Event(name, info) if name == "onStreamInfo" => {
                assert_eq!(form, None, "it begins once");
                form = Some(Form::told(info));
            }
            Received::Event(name, info) if name == "onStreamInfoUpdate" => {
                halves.extend(
                    form.replace(Form::told(info))
                        .zip(Some(std::mem::take(&mut half))),
                );
            }
            Received::Event(name, at) if name == "onRandomAccessPoint" => {
                let next = at["streamTime"].as_u64().unwrap();
                assert!(next >= point, "{next} after {point}");
                assert!(point == 0 || next < point + 1500, "{next} after {point}");
                point = next;
                keyframes = if halves.is_empty() { 0 } else { keyframes + 1 };
            }
            Received::Binary(bytes) => half.extend_from_slice(bytes),
            message => assert!(!message.is("onStreamStatus"), "{form:?}"),
        }
        keyframes > 3
    });
    assert_eq!(halves.len(), 1);
    halves.push((SECOND, half));
    for ((told, file), form) in halves.iter().zip([FIRST, SECOND]) {
        assert_eq!((told, Form::decoded(file).0), (&form, form));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_changes_on_its_way_to_the_embedded_origin() {
    let site = Site::embedded();
    let Place::Embedded { port, .. } = site.place else {
        panic!("no port")
    };
    let browser = Browser::open(browser::Options::default()).await;
    browser.goto(&site.page()).await;
    let mut viewer = site.viewer();
    let publisher = tape::publish(port, &format!("{STREAM}?key={KEY}"), changing());
    let segments = follow(site.fetched("playlist.m3u8"), 2);
    let file = download(site.fetched("stream.mp4"));
    page_plays(&browser, FIRST).await;
    let updated = tokio::task::spawn_blocking(move || assert_updated(&mut viewer));
    page_plays(&browser, SECOND).await;
    updated.await.unwrap();
    let same = "return [h5live.snapshot().reconnects, h5live.snapshot().code]";
    assert_eq!(browser.execute(same).await, json!([0, 0]), "one socket");

    assert_eq!(Form::decoded(&file.join().unwrap()).0, FIRST);
    let (files, discontinuities) = segments.join().unwrap();
    let forms: Vec<Form> = files.iter().map(|file| Form::decoded(file).0).collect();
    assert_eq!((forms, discontinuities), (vec![FIRST, SECOND], 1));
    publisher.join().unwrap();
}

#[test]
fn an_origins_stream_changes_on_its_way_through_rtmpsrc() {
    change_through("rtmpsrc");
}

#[test]
fn an_origins_stream_changes_on_its_way_through_rtmp2src() {
    change_through("rtmp2src");
}

fn change_through(element: &str) {
    let relay = Relay::start(changing());
    let server = Server::start(&Options {
        more: format!(
            "[[origins]]\nname = \"relay\"\nurl = \"{}\"\nelement = \"{element}\"\n",
            relay.url()
        ),
        ..Options::default()
    });
    server.register(STREAM, "the secret of these changes");
    let token = server.mint(&json!({"streamname": STREAM}));
    let mut viewer = Viewer::connect(&server.websocket_url(&relay.url(), STREAM, &token));
    assert_updated(&mut viewer);
}
