//! The API's description: what is served, printed and checked in is what the code makes, and
//! schemathesis holds a running server to it.
//!
//! Schemathesis tries what the description allows and what it forbids, with and without a key. Not covered
//! by it: doors that let somebody in, whose answers go on for as long as a stream does; text beyond ASCII.
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::server::{Options, Server, program};

/// For whoever has changed the API.
const RENEW: &str = "cargo run -- openapi > docs/openapi.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn what_is_checked_in_is_what_the_code_makes() {
    let file = std::fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    let made = h5live::openapi::document();
    let same = serde_json::from_str::<Value>(&file).is_ok_and(|file| file == made);
    assert!(
        same,
        "docs/openapi.json is of another version; renew it: {RENEW}"
    );
    let printed = program().arg("openapi").output().unwrap();
    assert!(printed.status.success());
    assert_eq!(
        serde_json::from_slice::<Value>(&printed.stdout).unwrap(),
        made
    );
}

#[test]
fn it_is_served_to_everybody() {
    let server = Server::start(&Options::default());
    let url = format!("{}/secure/openapi.json", server.base());
    let mut answer = support::server::agent().get(&url).call().unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=3600");
    let served: Value = answer.body_mut().read_json().unwrap();
    assert_eq!(served, h5live::openapi::document());
    let answer = support::server::agent().post(&url).send_empty().unwrap();
    assert_eq!(answer.status(), 405);
}

/// Where schemathesis is.
fn schemathesis() -> PathBuf {
    let output = Command::new(root().join(".ci/schemathesis"))
        .output()
        .expect(".ci/schemathesis runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

#[test]
fn the_running_server_keeps_to_it() {
    let server = Server::start(&Options {
        // It is refused all the time.
        more: "[limits]\napi-failures = 100000\napi-failure-recovery = \"1s\"\n".to_owned(),
        ..Options::default()
    });
    server.register("ABCDE-demo", "a secret of sixteen bytes or more");
    // It leaves files where it runs.
    let directory = tempfile::tempdir().unwrap();
    for file in ["schemathesis.toml", "hooks.py"] {
        let from = root().join("tests/openapi").join(file);
        std::fs::copy(from, directory.path().join(file)).unwrap();
    }
    let output = Command::new(schemathesis())
        .current_dir(directory.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(format!("{}/secure/openapi.json", server.base()))
        .args([
            "--checks",
            "all",
            "--phases",
            "examples,coverage,fuzzing,stateful",
        ])
        .args(["--generation-database", "none"])
        .args(["-H", &format!("X-BINTU-APIKEY: {}", server.api_key())])
        .output()
        .expect("schemathesis runs");
    let report = String::from_utf8_lossy(&output.stdout);
    let report = report.replace(server.api_key(), "[the key]");
    assert!(
        output.status.success(),
        "{report}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{report}");
    assert!(!server.log().contains(server.api_key()));
}
