//! `on-expiry = "close"` and a page that renews: Chromium plays on through twenty renewals by
//! `h5live.updateSource`, on one socket, and is told 4903 in time when no renewal comes.
//!
//! Not covered: what the server does at the second of expiry on each door (`withdrawal.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use browser::Browser;
use serde_json::{Value, json};
use support::hls::{STREAM, Site};
use support::process::wait_until;
use support::server::Security;

const PATIENCE: Duration = Duration::from_secs(60);

/// How long each token lives, and how much of that is left when the next one comes.
const LIFE: u64 = 5;
const LEFT: f64 = 3.0;

const RENEWALS: u64 = 20;

/// Notes what the viewer would see: events of the video, dropped frames, leaps and gaps; each with its
/// time. `renew` notes when it was asked for and answered.
const WATCH: &str = r#"
  const video = document.querySelector("video");
  const dropped = () => video.getVideoPlaybackQuality().droppedVideoFrames;
  const watch = (window.watch = { breaks: [], drops: [], renewals: [], refused: 0, closed: 0 });
  const broke = (what) => watch.breaks.push([performance.now(), what]);
  for (const name of ["waiting", "seeking", "emptied", "ended"])
    video.addEventListener(name, () => broke(name));
  watch.begun = h5live.snapshot();
  let [frames, time] = [dropped(), video.currentTime];
  setInterval(() => {
    const snapshot = h5live.snapshot();
    if (snapshot.code && !watch.closed) watch.closed = Date.now() / 1000;
    if (watch.closed) return;
    if (dropped() !== frames) watch.drops.push([performance.now(), dropped() - frames]);
    if (video.currentTime < time) broke("back");
    if (snapshot.buffered.length !== 1) broke("gap");
    [frames, time] = [dropped(), video.currentTime];
  }, 50);
  window.renew = (security) => {
    const asked = performance.now();
    h5live.updateSource({ security, tag: "renewal" }).then(
      () => watch.renewals.push([asked, performance.now()]),
      (error) => { watch.refused = error.code; });
  };
"#;

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

fn mint(site: &Site) -> Security {
    let expires = (now() as u64 + LIFE).to_string();
    site.mint(&json!({"expires": expires}))
}

fn wait_for_the_last_of(token: &Security) {
    let expires: f64 = token.expires.parse().unwrap();
    wait_until("most of its life to pass", || {
        (now() >= expires - LEFT).then_some(())
    });
}

async fn renew(browser: &Browser, token: &Security) {
    let security: serde_json::Map<_, _> = token
        .pairs()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    browser
        .execute(&format!("renew({})", Value::Object(security)))
        .await;
}

/// Sessions that were ever begun on WebSockets.
fn sessions(site: &Site) -> String {
    let port = site.server.port_beside("metrics at http://");
    let url = format!("http://127.0.0.1:{port}/metrics");
    let mut answer = support::server::agent().get(&url).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let name = "h5live_sessions_added_total{door=\"websocket\"} ";
    let mut lines = text.lines();
    let count = lines.find_map(|line| line.strip_prefix(name));
    count.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_renewals_are_not_seen_and_the_end_without_one_is() {
    let site = Site::start_with(
        "on-expiry = \"close\"",
        "[metrics]\nlisten = \"127.0.0.1:0\"\n",
    );
    // Small, so that a shared machine decodes all of it.
    let _publisher = site.publish_as(STREAM);
    let browser = Browser::open(browser::Options::default()).await;
    let mut token = site.mint(&json!({"expires": (now() as u64 + 60).to_string()}));
    let page = (site.server).page_url(
        &site.server.base(),
        &site.origin.url("live"),
        STREAM,
        &token,
    );
    browser.goto(&page).await;
    browser
        .wait_until(
            "h5live.snapshot().state == 'playing' && h5live.snapshot().currentTime > 4",
            PATIENCE,
        )
        .await;
    browser.execute(WATCH).await;

    for renewal in 1..=RENEWALS {
        token = mint(&site);
        renew(&browser, &token).await;
        let answered = format!("watch.renewals.length == {renewal}");
        browser.wait_until(&answered, PATIENCE).await;
        wait_for_the_last_of(&token);
    }
    let (watch, end) = (
        browser.execute("return watch").await,
        browser.execute("return h5live.snapshot()").await,
    );
    assert_unseen(&watch, &end);
    assert_eq!(sessions(&site), "1", "one socket");

    // One that is refused changes nothing.
    let mut altered = token.clone();
    altered.expires = (now() as u64 + 3600).to_string();
    renew(&browser, &altered).await;
    browser.wait_until("watch.refused == 4901", PATIENCE).await;
    let state = browser.execute("return h5live.snapshot().state").await;
    assert_eq!(state, "playing");

    browser
        .wait_until("h5live.snapshot().code == 4903 && watch.closed", PATIENCE)
        .await;
    let closed = browser.execute("return watch.closed").await;
    let late = closed.as_f64().unwrap() - token.expires.parse::<f64>().unwrap();
    assert!((0.0..1.5).contains(&late), "{late} s after its expiry");
    assert_eq!(
        sessions(&site),
        "1",
        "it does not come again with that token"
    );
}

/// What a renewal does to the picture, it does at renewals. A machine that is too busy does the same at any
/// time, and so by chance at some of them.
const CHANCE: usize = 3;

fn assert_unseen(watch: &Value, end: &Value) {
    let begun = &watch["begun"];
    for same in ["reconnects", "timestampOffset", "streamInfo"] {
        assert_eq!(end[same], begun[same], "{same}: {watch}");
    }
    let frames = |snapshot: &Value| snapshot["framesDecoded"].as_u64().unwrap();
    let shown = frames(end) - frames(begun);
    assert!(shown > RENEWALS * 45, "{shown} frames");

    let time = |value: &Value| value.as_f64().unwrap();
    let renewals = watch["renewals"].as_array().unwrap();
    for kind in ["breaks", "drops"] {
        let all = watch[kind].as_array().unwrap();
        let at = |renewal: &Value, entry: &Value| {
            (time(&renewal[0])..time(&renewal[1]) + 500.0).contains(&time(&entry[0]))
        };
        let hit = (renewals.iter())
            .filter(|renewal| all.iter().any(|entry| at(renewal, entry)))
            .count();
        let else_ = (all.iter())
            .filter(|entry| !renewals.iter().any(|renewal| at(renewal, entry)))
            .count();
        println!("{kind}: at {hit} of {RENEWALS} renewals, and {else_} else; {shown} frames");
        assert!(hit <= else_ + CHANCE, "{kind}: {watch}");
    }
}
