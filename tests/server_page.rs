//! The whole way in a real browser: ffmpeg → nginx-rtmp → h5live-server → player page in Chromium. A
//! token from the API plays; nothing else does, and then the origin is not even asked; what happens to
//! the origin and the publisher while a viewer looks is gone through without a reload.
//!
//! Not covered: TLS (`server_tls.rs`), what exactly is sent (`server_playback.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::time::Duration;

use browser::{Browser, Options};
use h5live::token::{Claims, Scope, Secret, StreamName, UnixSeconds, mint};
use serde_json::json;
use support::origin::Origin;
use support::publisher::{self, CLOCK_BITS, Publisher};
use support::server::{self, Security, Server};

const PATIENCE: Duration = Duration::from_secs(60);
const STREAM: &str = "ABCDE-demo";
const SECRET: &str = "the secret of a browser's test";

const PLAYS: &str = "h5live.snapshot().currentTime > 1 && h5live.snapshot().framesDecoded > 20 \
                     && h5live.snapshot().audioBytesDecoded > 0";

struct Site {
    server: Server,
    origin: Origin,
}

impl Site {
    fn start() -> Site {
        let origin = Origin::start();
        let server = Server::start(&server::Options::with_origin(&origin.url("live")));
        server.register(STREAM, SECRET);
        Site { server, origin }
    }

    fn page(&self, host: &str, stream: &str, security: &Security) -> String {
        let base = format!("http://{host}:{}", self.server.port());
        self.server
            .page_url(&base, &self.origin.url("live"), stream, security)
    }

    fn publish(&self) -> Publisher {
        let options = publisher::Options {
            clock: true,
            ..publisher::Options::default()
        };
        Publisher::start(&self.origin, STREAM, &options)
    }
}

/// A token that was good until 2020: the API mints none that has ended.
fn expired() -> Security {
    let stream = StreamName::parse(STREAM).unwrap();
    let claims = Claims {
        expires: Some(UnixSeconds(1_591_747_200)),
        ..Claims::of(Scope::Stream(stream))
    };
    mint(&Secret::new(SECRET.as_bytes()).unwrap().key(), &claims).into()
}

async fn browser() -> Browser {
    Browser::open(Options {
        host_resolver_rules: "MAP *.test 127.0.0.1".into(),
        ..Options::default()
    })
    .await
}

async fn assert_plays(browser: &Browser) {
    browser.wait_until(PLAYS, PATIENCE).await;
    let (_, deviation) = browser.picture().await;
    assert!(deviation > 1.0, "the picture is of one colour");
    assert_eq!(browser.execute("return h5live.snapshot().code").await, 0);
}

/// Frames decoded since the script was last asked, so that what has played before does not count.
async fn assert_plays_on(browser: &Browser) {
    browser
        .execute("window.seen = h5live.snapshot().framesDecoded; window.at = h5live.snapshot().currentTime")
        .await;
    let more = "h5live.snapshot().state == 'playing' && (h5live.snapshot().framesDecoded > window.seen + 30 \
                || h5live.snapshot().framesDecoded < window.seen && h5live.snapshot().framesDecoded > 30)";
    browser.wait_until(more, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_plays_and_everything_else_is_told_why_not() {
    let site = Site::start();
    let _publisher = site.publish();
    let hour = (std::time::SystemTime::now() + Duration::from_secs(3600))
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let bound = site.server.mint(&json!({
        "streamname": STREAM, "tag": "viewer 1", "referer": "demo.example.test",
        "expires": hour.to_string(),
    }));
    assert_eq!(bound.options, "13");

    let mut altered = bound.clone();
    let first = if bound.token.ends_with('A') { "B" } else { "A" };
    altered.token = format!("{}{first}", &bound.token[..bound.token.len() - 1]);
    let mut untagged = bound.clone();
    untagged.tag = "viewer 2".to_owned();
    let expired = expired();
    let demo = "demo.example.test";
    let rows = [
        ("altered token", site.page(demo, STREAM, &altered), 4901),
        ("altered tag", site.page(demo, STREAM, &untagged), 4901),
        ("expired", site.page(demo, STREAM, &expired), 4903),
        ("other stream", site.page(demo, "ABCDE-other", &bound), 4901),
        (
            "other domain",
            site.page("evil.example.test", STREAM, &bound),
            4901,
        ),
    ];
    let browser = browser().await;
    for (name, url, code) in rows {
        browser.goto(&url).await;
        let told = format!("document.querySelector('#code').dataset.code == '{code}'");
        browser.wait_until(&told, PATIENCE).await;
        let decoded = browser
            .execute("return h5live.snapshot().framesDecoded")
            .await;
        assert_eq!(decoded, 0, "{name}");
    }
    assert_eq!(site.origin.plays(STREAM), 0, "the origin is not asked");

    browser.goto(&site.page(demo, STREAM, &bound)).await;
    assert_plays(&browser).await;
    assert_eq!(site.origin.plays(STREAM), 1);
    let delay = browser.delay(CLOCK_BITS).await;
    println!("WebSocket: {delay:.2} s from a picture's making to its showing");
    browser.click("#sound").await;
    let sounds = "!document.querySelector('video').muted && h5live.snapshot().state == 'playing'";
    browser.wait_until(sounds, PATIENCE).await;
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn playback_outlives_its_origin_and_its_publisher() {
    let mut site = Site::start();
    let publisher = site.publish();
    let token = site.server.mint(&json!({"streamname": STREAM, "tag": "t"}));
    let browser = browser().await;
    browser
        .goto(&site.page("play.example.test", STREAM, &token))
        .await;
    assert_plays(&browser).await;
    browser.execute("window.never_reloaded = true").await;

    site.origin.kill();
    browser
        .wait_until("h5live.snapshot().state != 'playing'", PATIENCE)
        .await;
    publisher.kill();
    site.origin.restart();
    let publisher = site.publish();
    assert_plays_on(&browser).await;

    publisher.stop();
    let larger = publisher::Options {
        width: 854,
        height: 480,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&site.origin, STREAM, &larger);
    browser
        .wait_until(
            "document.querySelector('video').videoHeight == 480",
            PATIENCE,
        )
        .await;
    assert_plays_on(&browser).await;
    let same_page = browser.execute("return window.never_reloaded").await;
    assert_eq!(same_page, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_names_no_hls_door_plays_its_own_servers() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site
        .server
        .mint(&json!({"streamname": STREAM, "referer": "demo.example.test"}));
    let browser = browser().await;
    browser
        .goto(&site.page("demo.example.test", STREAM, &token))
        .await;
    // What the page does where there is no MSE, which Chromium has.
    browser
        .execute(
            "window.native = document.createElement('video'); native.muted = true;
             import('/player/parameters.js').then(({ readParameters, wireAddress }) => {
               const { source, problem } = readParameters(location);
               window.problem = problem;
               native.src = wireAddress(source.hls, source, { cid: '1', pid: '2' });
               native.play();
             });",
        )
        .await;
    browser.wait_until("native.currentTime > 1", PATIENCE).await;
    let own = "return [problem, new URL(native.src).origin === location.origin, \
               new URL(native.src).pathname]";
    assert_eq!(
        browser.execute(own).await,
        json!(["", true, "/h5live/authhttp/playlist.m3u8"])
    );
}
