//! The seed's curl commands against a real server, by curl: host, key and names apart as printed there.
//!
//! Not covered: what the API refuses (`issuer_refusals.rs`), that the tokens play (`server_page.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::server::{Options, Server};

/// `curl -X POST URL -H … -H … -d BODY`, as the seed prints it.
fn curl(server: &Server, path: &str, body: &str) -> Value {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "-X", "POST"])
        .arg(format!("{}{path}", server.base()))
        .args(["-H", "Content-Type: application/json", "-H"])
        .arg(format!("X-BINTU-APIKEY: {}", server.api_key()))
        .args(["-d", body])
        .output()
        .expect("curl runs");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)))
}

#[test]
fn the_seeds_commands_work_as_printed() {
    let server = Server::start(&Options::default());
    let expires = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 86_400;
    let registered = curl(
        &server,
        "/secure/stream",
        r#"{"streamname": "ABCDE-demo1", "secret": "my secret of 16 bytes and more"}"#,
    );
    assert_eq!(registered, json!({"streamname": "ABCDE-demo1"}));

    let bound = expires.to_string();
    let rows = [
        (
            "a",
            format!(r#"{{"streamname": "ABCDE-demo1", "tag": "my tag", "expires": "{expires}"}}"#),
            bound.as_str(),
            "my tag",
            9,
        ),
        (
            "b",
            format!(r#"{{"orga": "ABCDE", "tag": "my tag", "expires": "{expires}"}}"#),
            &bound,
            "my tag",
            25,
        ),
        (
            "c",
            r#"{"streamname": "ABCDE-demo1", "ip": "192.0.2.7"}"#.to_owned(),
            "",
            "",
            2,
        ),
        (
            "d",
            r#"{"streamname": "ABCDE-demo1", "tag": "my tag", "referer": "demo.nanocosmos.de"}"#
                .to_owned(),
            "",
            "my tag",
            12,
        ),
    ];
    for (name, body, expires, tag, options) in rows {
        let mut answer = curl(&server, "/secure/token", &body);
        let token = answer["h5live"]["security"]["token"].take();
        assert_eq!(token.as_str().map(str::len), Some(50), "({name})");
        let expected = json!({"h5live": {"security": {
            "expires": expires, "tag": tag, "token": null, "options": options,
        }}});
        assert_eq!(answer, expected, "({name})");
    }
}

#[test]
fn what_has_been_answered_outlives_a_kill() {
    let mut server = Server::start(&Options::default());
    server.register("ABCDE-demo", "a secret that must not be lost");
    let before = server.mint(&json!({"streamname": "ABCDE-demo"}));
    server.kill();
    server.restart();
    assert_eq!(server.mint(&json!({"streamname": "ABCDE-demo"})), before);
}
