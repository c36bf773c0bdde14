//! The browser harness itself: it opens a page, reads it, and leaves no process behind. Not covered: the player page.

#![cfg(feature = "doors")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use browser::{Browser, Options};

const PAGE: &str = "<!doctype html><link rel=icon href=data:,><title>harness</title><p id=p>before</p>\
    <script>p.onclick = () => { p.textContent = location.hostname; console.error('told you') }</script>";

/// Serves [`PAGE`] to whoever asks, until the test process ends. Gives the port.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            // A thread each: browsers open sockets ahead of need and say nothing on them.
            std::thread::spawn(move || {
                let _ = socket.read(&mut [0; 4096]);
                let _ = write!(
                    socket,
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{PAGE}",
                    PAGE.len()
                );
            });
        }
    });
    port
}

/// Whether any process of the group is alive. A zombie, whom only its parent can bury, counts as gone.
fn group_lives(group: u32) -> bool {
    let listing = Command::new("ps")
        .args(["-eo", "pgid=,stat="])
        .output()
        .unwrap()
        .stdout;
    String::from_utf8(listing).unwrap().lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(&group.to_string()) && !words.next().unwrap_or("Z").starts_with('Z')
    })
}

#[tokio::test]
async fn a_page_opens_and_the_browser_ends_with_its_handle() {
    let port = serve();
    let options = Options {
        host_resolver_rules: "MAP *.test 127.0.0.1".into(),
        ..Options::default()
    };
    let browser = Browser::open(options).await;
    browser.goto(&format!("http://page.test:{port}/")).await;
    assert_eq!(browser.title().await, "harness");
    assert_eq!(browser.console_errors().await, Vec::<String>::new());

    browser.click("#p").await;
    let deadline = Duration::from_secs(20);
    let text = browser
        .wait_until("p.textContent !== 'before' && p.textContent", deadline)
        .await;
    assert_eq!(text, "page.test");
    let errors = browser.console_errors().await;
    assert!(
        errors.iter().any(|line| line.contains("told you")),
        "{errors:?}"
    );

    let group = browser.process_group();
    assert!(group_lives(group), "the check below must be able to fail");
    drop(browser);
    let end = Instant::now() + deadline;
    while group_lives(group) {
        assert!(
            Instant::now() < end,
            "chromedriver or chromium is still running"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
