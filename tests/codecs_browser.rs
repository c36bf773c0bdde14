//! What Chromium plays of each codec, on the player page of an element's own doors.
//! Not covered: H.265, which Debian's Chromium does not decode (codecs.rs), and HLS.
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/live.rs"]
mod live;

use std::time::Duration;

use browser::{Browser, Options};
use h5live::token::{Claims, Scope, mint};
use live::Live;

const PATIENCE: Duration = Duration::from_secs(60);

const AV1: &str = "videotestsrc is-live=true pattern=ball \
    ! video/x-raw,format=I420,width=320,height=180,framerate=30/1 \
    ! av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=30 ! av1parse ! s.video";
const H264: &str = "videotestsrc is-live=true pattern=ball \
    ! video/x-raw,format=I420,width=320,height=180,framerate=30/1 \
    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse ! s.video";
const AAC: &str = "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 \
    ! voaacenc ! aacparse ! s.audio";
const OPUS: &str = "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 \
    ! opusenc ! opusparse ! s.audio";

const SEEN: &str = "h5live.snapshot().framesDecoded > 40";
const HEARD: &str = "h5live.snapshot().audioBytesDecoded > 0";

fn page(live: &Live) -> String {
    let minted = mint(&live::key(), &Claims::of(Scope::Stream(live::stream())));
    format!(
        "http://127.0.0.1:{}/?h5live.rtmp.url=rtmp%3A%2F%2Forigin.test%2Flive\
         &h5live.rtmp.streamname=ABCDE-demo&h5live.security.expires={}\
         &h5live.security.token={}&h5live.security.options={}",
        live.port,
        minted.expires,
        minted.token,
        minted.options.bits()
    )
}

#[tokio::test]
async fn chromium_plays_what_it_has_decoders_for() {
    let browser = Browser::open(Options::default()).await;
    let rows = [
        (vec![AV1, OPUS], vec![SEEN, HEARD]),
        (vec![AV1, AAC], vec![SEEN, HEARD]),
        (vec![H264, OPUS], vec![SEEN, HEARD]),
        (vec![AV1], vec![SEEN]),
        (vec![OPUS], vec![HEARD]),
    ];
    for (branches, signs) in rows {
        let live = Live::ready(&branches.join(" "));
        live.play();
        browser.goto(&page(&live)).await;
        let plays = [&["h5live.snapshot().currentTime > 2"], &signs[..]].concat();
        browser.wait_until(&plays.join(" && "), PATIENCE).await;
        if branches.contains(&AV1) || branches.contains(&H264) {
            let (_, deviation) = browser.picture().await;
            assert!(
                deviation > 1.0,
                "the picture is of one colour: {branches:?}"
            );
        }
        let code = browser.execute("return h5live.snapshot().code").await;
        assert_eq!(code, 0, "{branches:?}");
    }
}
