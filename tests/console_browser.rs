//! The console's pages in headless Chromium: log in, watch, end a session, make a link that plays.
//!
//! Not covered: how it looks, which a person has to see.
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::time::Duration;

use browser::Browser;
use serde_json::json;
use support::console::{CONSOLE, Console};
use support::hls::{STREAM, Site};
use support::viewer::{Received, Viewer};

const PATIENCE: Duration = Duration::from_secs(60);

async fn log_in(browser: &Browser, console: &Console, password: &str) {
    browser.goto(&format!("{}/console/", console.base())).await;
    let fill = format!(
        "const form = document.forms[0]; form.elements.name.value = {}; form.elements.password.value = {};",
        json!(console.name),
        json!(password)
    );
    browser.execute(&fill).await;
    browser.click("button[type=submit]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_watches_ends_a_session_and_makes_a_link_that_plays() {
    let site = Site::start_with("", CONSOLE);
    let _publisher = site.publish();
    let console = Console::of(&site.server);
    let browser = Browser::open(browser::Options::default()).await;

    log_in(&browser, &console, "wrong").await;
    let problem = "document.querySelector('#problem')?.textContent";
    browser.wait_until(problem, PATIENCE).await;
    // The status of that answer is told as an error.
    let _ = browser.console_errors().await;
    log_in(&browser, &console, &console.password).await;
    browser
        .wait_until(
            "document.querySelector('#link')?.dataset.state == 'live'",
            PATIENCE,
        )
        .await;

    let token = site.mint(&json!({"tag": "<b>viewer</b>"}));
    let url = (site.server).websocket_url(&site.origin.url("live"), STREAM, &token);
    let mut viewer = Viewer::connect(&url);
    viewer.until(|message| matches!(message, Received::Binary(_)));
    for (table, text) in [
        ("streams", "H.264, AAC"),
        ("streams", "640×360 at 30 fps"),
        ("streams", "kbit/s"),
        ("sessions", "<b>viewer</b>"),
        ("sessions", "websocket"),
    ] {
        let shown = format!(
            "document.querySelector('#{table} tbody').textContent.includes({})",
            json!(text)
        );
        browser.wait_until(&shown, PATIENCE).await;
    }
    assert_eq!(
        browser
            .execute("return document.querySelectorAll('b').length")
            .await,
        0
    );

    // The row goes on to be the same element, so both clicks meet it.
    browser.click("#sessions tbody button").await;
    browser
        .wait_until(
            "document.querySelector('#sessions button').dataset.sure == 'true'",
            PATIENCE,
        )
        .await;
    browser.click("#sessions tbody button").await;
    let end = viewer.until(|message| matches!(message, Received::Closed(_)));
    assert!(matches!(end.last(), Some(Received::Closed(4901))));
    browser
        .wait_until(
            "document.querySelectorAll('#sessions tbody tr').length == 0",
            PATIENCE,
        )
        .await;

    browser
        .execute(
            "const form = document.querySelector('#mint');
             form.elements.scope.value = 'ABCDE-demo'; form.elements.tag.value = 'a phone';
             form.requestSubmit();",
        )
        .await;
    let link = browser
        .wait_until(
            "document.querySelector('#page').getAttribute('href')",
            PATIENCE,
        )
        .await;
    let drawn = "document.querySelector('#qr').naturalWidth > 0";
    browser.wait_until(drawn, PATIENCE).await;
    for (width, height) in [(360, 740), (760, 900), (1280, 900)] {
        browser.resize(width, height).await;
        let spills = "return document.documentElement.scrollWidth - innerWidth";
        assert_eq!(browser.execute(spills).await, 0, "at a width of {width}");
        assert_eq!(browser.execute("return innerWidth").await, width);
    }
    let errors = browser.console_errors().await;
    assert!(errors.is_empty(), "{errors:?}");

    browser.goto(link.as_str().unwrap()).await;
    browser
        .wait_until("h5live.snapshot().framesDecoded > 20", PATIENCE)
        .await;

    browser.goto(&format!("{}/console/", console.base())).await;
    browser
        .wait_until(
            "document.querySelector('#link').dataset.state == 'live'",
            PATIENCE,
        )
        .await;
    browser.click("#logout").await;
    browser
        .wait_until("document.title.startsWith('Log in')", PATIENCE)
        .await;
}
