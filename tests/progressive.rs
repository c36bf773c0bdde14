//! `stream.mp4`: players take it, it begins at a keyframe and ends with its stream, and a client that is
//! slow or stands still costs what its bounds say.
//!
//! Not covered: who is let in (`doors_refuse.rs`, `approvals.rs`), HTTP/2.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/page_host.rs"]
mod page_host;
mod support;

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use browser::{Browser, Options};
use page_host::PageHost;
use serde_json::json;
use support::hls::{Site, decode};
use support::process::{Process, wait_until};
use tempfile::TempDir;

const PATH: &str = "/h5live/authhttp/stream.mp4";
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

const PAGE: &str = r#"<!doctype html><title>a customer's page</title>
<video id="video" muted playsinline></video>
<script>
const video = document.getElementById("video");
window.frames_ = 0;
window.ended_ = false;
const frame = () => { frames_ += 1; video.requestVideoFrameCallback(frame); };
video.requestVideoFrameCallback(frame);
video.onended = () => { ended_ = true; };
video.src = decodeURIComponent(location.hash.slice(1));
video.play();
</script>"#;

#[test]
fn ffmpeg_plays_it() {
    let site = Site::start();
    let _publisher = site.publish();
    let times = decode(&site.url(PATH, &site.mint(&json!({"tag": "viewer 1"}))));
    assert!(times.len() >= 175, "{} frames", times.len());
    for pair in times.windows(2) {
        assert!((33..=34).contains(&(pair[1] - pair[0])), "{pair:?}");
    }
}

#[test]
fn gstreamer_plays_it() {
    let site = Site::start();
    let _publisher = site.publish();
    let url = site.url(PATH, &site.mint(&json!({"tag": "viewer 1"})));
    let directory = TempDir::new().unwrap();
    let mut command = Command::new("gst-launch-1.0");
    command
        .args(["-v", "souphttpsrc", &format!("location={url}"), "!"])
        .args(["qtdemux", "!", "h264parse", "!", "identity", "silent=false"])
        .args(["!", "fakesink", "sync=false"]);
    let log = directory.path().join("gst-launch.log");
    let mut player = Process::start("gst-launch-1.0", &mut command, &log);
    player.wait_until("a hundred frames", |log| {
        (log.matches("chain   ******* (identity0:sink)").count() >= 100).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_element_plays_it_and_is_told_of_its_end() {
    let site = Site::start();
    let publisher = site.publish();
    let token = site.mint(&json!({"referer": "customer.example.test"}));
    let url = site.url(PATH, &token);
    let url: String = url.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let host = PageHost::start(vec![("/", "text/html", PAGE.into())]);
    let browser = Browser::open(Options {
        host_resolver_rules: "MAP *.test 127.0.0.1".into(),
        ..Options::default()
    })
    .await;
    let page = format!("http://customer.example.test:{}/#{url}", host.port());
    let patience = Duration::from_secs(60);
    browser.goto(&page).await;
    browser
        .wait_until("frames_ > 60 && video.currentTime > 2", patience)
        .await;
    publisher.stop();
    browser.wait_until("ended_", patience).await;
}

#[test]
fn viewers_have_places_and_hold_no_handshakes() {
    let limits = "[limits]\nmax-viewers = 3\nmax-requests = 3\n";
    let site = Site::start_with("", limits);
    let _publisher = site.publish();
    let url = site.url(PATH, &site.mint(&json!({})));
    let viewers: Vec<_> = (0..3).map(|_| site.begin(HERE, &url, "")).collect();
    assert!(viewers.iter().all(|(status, _)| *status == 200));
    // Three that never say anything would keep this one from being accepted, had they not become viewers.
    assert_eq!(
        site.begin(HERE, &url, "").0,
        503,
        "there is no fourth place"
    );
    drop(viewers);
    wait_until("a place to be free", || {
        (site.begin(HERE, &url, "").0 == 200).then_some(())
    });
}

#[test]
fn it_ends_whole_when_the_server_stops() {
    let mut site = Site::start();
    let _publisher = site.publish();
    let url = site.url(PATH, &site.mint(&json!({})));
    let (status, mut viewer) = site.begin(HERE, &url, "");
    assert_eq!(status, 200);
    site.server.terminate();
    assert!(viewer.rest().ends_with(b"\r\n0\r\n\r\n"));
}

#[test]
fn a_stream_that_is_not_there_is_waited_for_but_not_for_ever() {
    let site = Site::start();
    let url = site.url(PATH, &site.mint(&json!({})));
    let answer = site.get(&url, &[]);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], 4503);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| site.begin(HERE, &url, "").0);
        let publisher = site.publish();
        assert_eq!(waiting.join().unwrap(), 200);
        drop(publisher);
    });
}
