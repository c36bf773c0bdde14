//! The four lines that the project's first document explains playback by, each as a test of its name, with
//! tokens from the API, on every door.
//!
//! Not covered: mixes of bindings (`bindings.rs`), a session that its token's expiry ends
//! (`page_renewal.rs`, `withdrawal.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/page_host.rs"]
mod page_host;
mod support;

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use browser::{Browser, Options};
use page_host::PageHost;
use serde_json::{Value, json};
use support::doors::{ELSEWHERE, Facts, HERE, ask_all};
use support::hls::{STREAM, Site};
use support::process::wait_until;
use support::server::Security;
use support::viewer::Viewer;

const SIBLING: &str = "ABCDE-other";
const STRANGER: &str = "FGHIJ-demo";

fn facts(token: &Security) -> Facts {
    Facts {
        stream: STREAM,
        token: token.clone(),
        from: HERE,
        page: None,
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// (a) The URL hasn't expired yet, so the playback works for a particular stream.
#[test]
fn a_plays_until_it_expires() {
    let site = Site::start();
    let _publishers = [site.publish(), site.publish_as(SIBLING)];
    site.server
        .register(SIBLING, "the secret of another stream");
    // Makes the segments that the first playlist waits for.
    assert_eq!(ask_all(&site, &facts(&site.mint(&json!({})))), "open");
    let expires = now() + 5;
    let token = site.mint(&json!({"tag": "my tag", "expires": expires.to_string()}));
    assert_eq!((&*token.options, &*token.tag), ("9", "my tag"));
    assert_eq!(token.expires, expires.to_string());

    let mut viewer = watch(&site, &token);
    assert_eq!(ask_all(&site, &facts(&token)), "open");
    let mut sibling = facts(&token);
    sibling.stream = SIBLING;
    assert_eq!(ask_all(&site, &sibling), "4901");
    assert!(
        now() < expires,
        "too slow a machine to have tested anything"
    );
    wait_until("its last second to pass", || {
        (now() >= expires).then_some(())
    });
    assert_eq!(ask_all(&site, &facts(&token)), "4903");
    // What plays already goes on, as the seed has it: the check is at the start.
    let mut more = 0;
    viewer.until(|message| {
        more += usize::from(message.is("onRandomAccessPoint"));
        more > 6
    });
}

/// A viewer that plays.
fn watch(site: &Site, token: &Security) -> Viewer {
    let url = site.url("/h5live/authstream", token);
    let mut viewer = Viewer::connect(&url.replacen("http", "ws", 1));
    viewer.until(|message| message.is("onRandomAccessPoint"));
    viewer
}

/// (b) The URL hasn't expired yet, so the playback works for all the streams of an organisation.
#[test]
fn b_plays_every_stream_of_the_organisation_and_none_of_another() {
    let site = Site::start();
    let _publishers = [
        site.publish(),
        site.publish_as(SIBLING),
        site.publish_as(STRANGER),
    ];
    let secret = "the secret of all their streams";
    let (status, answer) =
        (site.server).post("/secure/orga", &json!({"orga": "ABCDE", "secret": secret}));
    assert_eq!(status, 200, "{answer}");
    let expires = (now() + 3600).to_string();
    let token = (site.server).mint(&json!({"orga": "ABCDE", "tag": "my tag", "expires": expires}));
    assert_eq!(token.options, "25");

    for (stream, expected) in [(STREAM, "open"), (SIBLING, "open"), (STRANGER, "4901")] {
        let mut asked = facts(&token);
        asked.stream = stream;
        assert_eq!(ask_all(&site, &asked), expected, "{stream}");
    }
}

/// (c) The playback only works for a specified client IP.
#[test]
fn c_plays_from_that_address_only() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({"ip": ELSEWHERE.to_string()}));
    assert_eq!(
        (&*token.options, &*token.expires, &*token.tag),
        ("2", "", "")
    );

    let third = Ipv4Addr::new(127, 0, 0, 3);
    for (from, expected) in [(ELSEWHERE, "open"), (HERE, "4901"), (third, "4901")] {
        let mut asked = facts(&token);
        asked.from = from;
        assert_eq!(ask_all(&site, &asked), expected, "{from}");
    }
}

/// Opens all doors, and says of each what a page can see of it.
const PAGE: &str = r#"<!doctype html><title>a customer's page</title>
<video id="video" muted playsinline></video>
<script>
const query = decodeURIComponent(location.hash.slice(1));
window.told = {};
const socket = new WebSocket(query.replace("http", "ws").replace("PATH", "authstream"));
socket.onmessage = () => { told.socket ??= "open"; };
socket.onclose = ({ code }) => { told.socket ??= code; };
fetch(query.replace("PATH", "authhttp/playlist.m3u8"))
  .then(async (answer) => { told.playlist = answer.ok ? "open" : (await answer.json()).error.code; })
  .catch((error) => { told.playlist = String(error); });
const video = document.getElementById("video");
video.onerror = () => { told.video = "refused"; };
video.ontimeupdate = () => { if (video.currentTime > 0.5) told.video = "open"; };
video.src = query.replace("PATH", "authhttp/stream.mp4");
video.play().catch(() => {});
</script>"#;

/// (d) The referrer is the one that the token names, so the playback works; on a different domain it
/// doesn't.
#[tokio::test(flavor = "multi_thread")]
async fn d_plays_on_that_domain_only() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({"tag": "my tag", "referer": "demo.example.test"}));
    assert_eq!((&*token.options, &*token.tag), ("12", "my tag"));
    let host = PageHost::start(vec![("/", "text/html", PAGE.into())]);
    let browser = Browser::open(Options {
        host_resolver_rules: "MAP *.test 127.0.0.1".into(),
        ..Options::default()
    })
    .await;
    let rows: [(&str, Value); 4] = [
        ("demo.example.test", json!(["open", "open", "open"])),
        ("evil.test", json!([4901, 4901, "refused"])),
        ("www.demo.example.test", json!([4901, 4901, "refused"])),
        (
            "demo.example.test.evil.test",
            json!([4901, 4901, "refused"]),
        ),
    ];
    for (index, (domain, expected)) in rows.into_iter().enumerate() {
        // A player of its own for each page.
        let url = site.url_of("/h5live/PATH", STREAM, &index.to_string(), &token);
        let url: String = url.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let page = format!("http://{domain}:{}/?{index}#{url}", host.port());
        browser.goto(&page).await;
        let told = "told.socket && told.playlist && told.video \
                    && [told.socket, told.playlist, told.video]";
        let told = browser.wait_until(told, Duration::from_secs(60)).await;
        assert_eq!(told, expected, "{domain}");
    }

    // And our own page, which the seed's playback URL stands for.
    for (domain, expected) in [("demo.example.test", 0), ("evil.test", 4901)] {
        let base = format!("http://{domain}:{}", site.server.port());
        let origin = site.origin.url("live");
        let page = site.server.page_url(&base, &origin, STREAM, &token);
        browser.goto(&page).await;
        let told = format!(
            "h5live.snapshot().code == {expected} && (h5live.snapshot().framesDecoded > 20) == ({expected} == 0)"
        );
        browser.wait_until(&told, Duration::from_secs(60)).await;
    }
}
