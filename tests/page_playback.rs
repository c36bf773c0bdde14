//! The player page in headless Chromium on an element's own doors: it plays with a token and not
//! without. Not covered: RTMP, and the server.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/live.rs"]
mod live;

use std::time::Duration;

use browser::{Browser, Options};
use h5live::token::{Claims, Host, Scope, UnixSeconds, mint};
use live::Live;

const PATIENCE: Duration = Duration::from_secs(60);

fn page(port: u16, host: &str, claims: &Claims) -> String {
    let minted = mint(&live::key(), claims);
    format!(
        "http://{host}:{port}/?h5live.rtmp.url=rtmp%3A%2F%2Forigin.test%2Flive\
         &h5live.rtmp.streamname=ABCDE-demo&h5live.security.expires={}\
         &h5live.security.token={}&h5live.security.options={}",
        minted.expires,
        minted.token,
        minted.options.bits()
    )
}

#[tokio::test]
async fn the_page_plays_with_a_token_and_not_without() {
    let live = Live::start();
    let port = live.port;

    let stream = Scope::Stream(live::stream());
    let referer = Claims {
        referer: Some(Host::bare("demo.example.test").unwrap()),
        ..Claims::of(stream.clone())
    };
    let expired = Claims {
        expires: Some(UnixSeconds(1_591_747_200)),
        ..Claims::of(stream)
    };
    let browser = Browser::open(Options {
        host_resolver_rules: "MAP *.test 127.0.0.1".into(),
        ..Options::default()
    })
    .await;

    browser
        .goto(&page(port, "demo.example.test", &referer))
        .await;
    let plays = "h5live.snapshot().currentTime > 1 && h5live.snapshot().framesDecoded > 20 \
                 && h5live.snapshot().audioBytesDecoded > 0";
    browser.wait_until(plays, PATIENCE).await;
    let (_, deviation) = browser.picture().await;
    assert!(deviation > 1.0, "the picture is of one colour");
    assert_eq!(browser.execute("return h5live.snapshot().code").await, 0);

    let altered =
        page(port, "demo.example.test", &referer).replace("security.token=A", "security.token=B");
    let refused = [
        (page(port, "other.example.test", &referer), 4901),
        (altered, 4901),
        (page(port, "demo.example.test", &expired), 4903),
    ];
    for (url, code) in refused {
        browser.goto(&url).await;
        let told = format!("document.querySelector('#code').dataset.code == '{code}'");
        browser.wait_until(&told, PATIENCE).await;
        let decoded = browser
            .execute("return h5live.snapshot().framesDecoded")
            .await;
        assert_eq!(decoded, 0, "nothing plays for {code}");
    }
}
