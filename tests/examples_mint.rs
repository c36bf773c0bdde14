//! The examples that mint in other languages, over all samples of `tests/vectors` that are granted.
//! Not covered: wishes that cannot be; the examples check nothing.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const VECTORS: &str = include_str!("vectors/playback_tokens.json");

/// Each sample's claims as a wish, and what is to come of it.
fn samples() -> Vec<(Value, Value)> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let samples = file["samples"].as_array().unwrap();
    let granted = samples.iter().filter(|sample| !sample["claims"].is_null());
    granted
        .map(|sample| {
            let mut wish = sample["claims"].clone();
            wish["secret"] = sample["secret"].clone();
            if let Some(expires) = wish["expires"].as_u64() {
                wish["expires"] = expires.to_string().into();
            }
            let request = &sample["request"];
            let options = request["options"].as_str().unwrap();
            let minted = json!({
                "expires": request["expires"],
                "tag": request["tag"],
                "token": request["token"],
                "options": options.parse::<u8>().unwrap(),
            });
            (wish, minted)
        })
        .collect()
}

fn mints_all(program: &str, script: &str) {
    let samples = samples();
    assert!(samples.len() >= 96, "{} samples", samples.len());
    let mut child = Command::new(program)
        .arg(format!(
            "{}/examples/mint/{script}",
            env!("CARGO_MANIFEST_DIR")
        ))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {program} ({error}); `make setup` installs it"));
    let lines: String = (samples.iter())
        .map(|(wish, _)| format!("{wish}\n"))
        .collect();
    let mut input = child.stdin.take().unwrap();
    // It answers while it reads: neither pipe may fill up.
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{script} fails");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), samples.len());
    for ((wish, expected), line) in samples.iter().zip(text.lines()) {
        let minted: Value = serde_json::from_str(line).unwrap();
        assert_eq!(&minted, expected, "{script}: {wish}");
    }
}

#[test]
fn python() {
    mints_all("python3", "mint.py");
}

#[test]
fn node() {
    mints_all("node", "mint.mjs");
}

#[test]
fn php() {
    mints_all("php", "mint.php");
}
