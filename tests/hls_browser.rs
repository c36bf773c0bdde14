//! HLS in headless Chromium: hls.js in low-latency mode on a page of another host, and the browser's own
//! `<video>`. The origin is nginx-rtmp, the publisher ffmpeg.
//!
//! Not covered: Safari. Its rules are those of `hls_rules.rs`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/page_host.rs"]
mod page_host;
mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use browser::{Browser, Options};
use page_host::PageHost;
use serde_json::json;
use support::hls::{STREAM, Site};
use support::publisher::{self, CLOCK_BITS, Publisher};

const PATIENCE: Duration = Duration::from_secs(60);

const PAGE: &str = r#"<!doctype html><title>a customer's page</title>
<video id="video" crossorigin muted playsinline></video><script src="/hls.js"></script>
<script>
const video = document.getElementById("video");
const url = decodeURIComponent(location.hash.slice(1));
window.errors = [];
window.frames_ = 0;
if (location.pathname === "/native") {
  video.src = url;
} else {
  window.hls = new Hls({ lowLatencyMode: true });
  hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) errors.push(data.details); });
  hls.loadSource(url);
  hls.attachMedia(video);
}
const frame = () => { frames_ += 1; video.requestVideoFrameCallback(frame); };
video.requestVideoFrameCallback(frame);
video.play().catch((error) => errors.push(String(error)));
</script>"#;

fn hls_js() -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/hlsjs");
    let output = Command::new(script).output().expect(".ci/hlsjs runs");
    assert!(output.status.success(), "{output:?}");
    std::fs::read(String::from_utf8(output.stdout).unwrap().trim()).unwrap()
}

fn host() -> PageHost {
    PageHost::start(vec![
        ("/", "text/html", PAGE.into()),
        ("/native", "text/html", PAGE.into()),
        ("/hls.js", "text/javascript", hls_js()),
    ])
}

async fn browser() -> Browser {
    Browser::open(Options {
        host_resolver_rules: "MAP *.test 127.0.0.1".into(),
        ..Options::default()
    })
    .await
}

fn publish(site: &Site) -> Publisher {
    let options = publisher::Options {
        clock: true,
        ..publisher::Options::default()
    };
    Publisher::start(&site.origin, STREAM, &options)
}

fn fragment(url: &str) -> String {
    url.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hls_js_plays_it_with_little_delay_on_the_page_that_the_token_names() {
    let site = Site::start();
    let _publisher = publish(&site);
    let token = site.mint(&json!({"referer": "customer.example.test"}));
    let url = fragment(&site.playlist_url(&token));
    let host = host();
    let browser = browser().await;

    let evil = format!("http://evil.example.test:{}/#{url}", host.port());
    browser.goto(&evil).await;
    browser.wait_until("errors.length > 0", PATIENCE).await;
    assert_eq!(
        browser.execute("return [errors[0], frames_]").await,
        json!(["manifestLoadError", 0])
    );

    let customer = format!("http://customer.example.test:{}/#{url}", host.port());
    browser.goto(&customer).await;
    browser
        .wait_until("frames_ > 150 && video.currentTime > 5", PATIENCE)
        .await;
    let delay = browser.delay(CLOCK_BITS).await;
    // Whole segments of two seconds would be three of them behind.
    assert!(delay < 4.0, "{delay} s behind");
    let (_, deviation) = browser.picture().await;
    assert!(deviation > 1.0, "the picture is of one colour");
    assert_eq!(browser.execute("return errors").await, json!([]));
    println!("hls.js, low-latency mode: {delay:.2} s from a picture's making to its showing");
}

#[tokio::test(flavor = "multi_thread")]
async fn hls_js_plays_on_when_a_publisher_comes_back_changed() {
    let site = Site::start();
    let publisher = site.publish();
    let token = site.mint(&json!({"tag": "viewer 1"}));
    let url = fragment(&site.playlist_url(&token));
    let host = host();
    let browser = browser().await;
    let customer = format!("http://customer.example.test:{}/#{url}", host.port());
    browser.goto(&customer).await;
    browser
        .wait_until("frames_ > 60 && video.videoHeight == 360", PATIENCE)
        .await;
    publisher.stop();
    let changed = publisher::Options {
        width: 426,
        height: 240,
        sample_rate: 44_100,
        channels: 1,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&site.origin, STREAM, &changed);
    browser
        .wait_until("video.videoHeight == 240", PATIENCE)
        .await;
    let seen = browser.execute("return frames_").await;
    let more = format!("frames_ > {seen} + 60");
    browser.wait_until(&more, PATIENCE).await;
    assert_eq!(browser.execute("return errors").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browsers_own_video_element_plays_it() {
    let site = Site::start();
    let _publisher = publish(&site);
    let token = site.mint(&json!({"tag": "viewer 1"}));
    let url = fragment(&site.playlist_url(&token));
    let host = host();
    let browser = browser().await;
    browser
        .goto(&format!(
            "http://customer.example.test:{}/native#{url}",
            host.port()
        ))
        .await;
    browser
        .wait_until("frames_ > 60 && video.currentTime > 2", PATIENCE)
        .await;
    let delay = browser.delay(CLOCK_BITS).await;
    // It keeps three whole segments behind, and plays on what it once began with.
    assert!(delay < 20.0, "{delay} s behind");
    assert_eq!(browser.execute("return errors").await, json!([]));
    println!("<video>: {delay:.2} s from a picture's making to its showing");
}
