//! The player page in headless Chromium on an element's own doors: it plays with a token and not
//! without. Not covered: RTMP, and the server.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;

use std::time::Duration;

use browser::{Browser, Options};
use gstreamer as gst;
use gstreamer::prelude::*;
use h5live::token::{Claims, Host, Scope, Secret, StreamName, UnixSeconds, mint};

const SECRET: &str = "the secret of this page";
const PATIENCE: Duration = Duration::from_secs(60);

fn page(port: u32, host: &str, claims: &Claims) -> String {
    let key = Secret::new(SECRET.as_bytes()).unwrap().key();
    let minted = mint(&key, claims);
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
    gst::init().unwrap();
    h5live::element::register(None).unwrap();
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=30/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 \
         ! video/x-h264,profile=constrained-baseline ! h264parse \
         ! h5liveauthsink name=s stream-name=ABCDE-demo secret=\"{SECRET}\" port=0 \
         audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse ! s."
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let sink = pipeline.by_name("s").unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let port = sink.property::<u32>("bound-port");

    let stream = Scope::Stream(StreamName::parse("ABCDE-demo").unwrap());
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
    pipeline.set_state(gst::State::Null).unwrap();
}
