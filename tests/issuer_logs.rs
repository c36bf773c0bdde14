//! What the API and the records log, at every level, holds no secret, API key or token.
//!
//! A file of its own: the records write from threads of theirs, so the log is the whole process's.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod issuer;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use hyper::Method;
use issuer::{Api, NOW, OTHER_SECRET, SECRET};
use serde_json::json;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_line_holds_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter("trace")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let api = Api::registered().await;
    api.register(OTHER_SECRET).await;
    let minted = api
        .post("token", &json!({"streamname": "ABCDE-demo", "tag": "t"}))
        .await
        .json();
    let token = minted["h5live"]["security"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let misplaced = json!({"h5l_a-guess": SECRET});
    assert_eq!(api.post("token", &misplaced).await.status, 400);
    assert_eq!(
        api.post_text("stream", &format!("{{\"secret\": \"{SECRET}\""))
            .await
            .status,
        400
    );
    let mut headers = api.headers();
    headers.insert("x-bintu-apikey", "h5l_a-guess".parse().unwrap());
    let guess = api
        .send(
            &Method::POST,
            "/secure/token",
            &headers,
            "{}",
            NOW,
            "192.0.2.1",
        )
        .await;
    assert_eq!(guess.status, 401);
    let unregistered = api
        .post("token", &json!({"streamname": "ABCDE-never"}))
        .await;
    assert_eq!(unregistered.status, 404);
    api.records.close().await;
    let closed = api
        .post(
            "stream",
            &json!({"streamname": "ABCDE-demo", "secret": SECRET}),
        )
        .await;
    assert_eq!(closed.status, 503);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "a secret is registered",
        "a token is minted",
        "api_key_unknown",
        "INSERT INTO signing_keys",
    ] {
        assert!(
            log.contains(expected),
            "{expected} is not logged, so the scan would see nothing"
        );
    }
    for secret in [
        SECRET,
        OTHER_SECRET,
        api.api_key.reveal(),
        "h5l_a-guess",
        &token,
    ] {
        assert!(!log.contains(secret), "{secret} is logged");
    }
}
