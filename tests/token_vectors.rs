//! Every sample of an implementation of its own (`tests/vectors/generate.py`) against ours: what we
//! mint and what we verify. Not covered: how a request is parsed (`token::query`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use h5live::token::{
    Claims, Facts, Host, KeyLookup, Orga, Parameters, Presented, Scope, Secret, StreamName, Tag,
    UnixSeconds, message, mint,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    name: String,
    secret: String,
    claims: Option<Claimed>,
    message: Option<String>,
    request: Request,
    facts: Shown,
    now: u64,
    skew: u64,
    expect: String,
}

#[derive(Deserialize)]
struct Claimed {
    stream: Option<String>,
    orga: Option<String>,
    expires: Option<u64>,
    ip: Option<std::net::IpAddr>,
    referer: Option<String>,
    tag: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    stream: String,
    token: Option<String>,
    expires: Option<String>,
    options: Option<String>,
    tag: Option<String>,
}

#[derive(Deserialize)]
struct Shown {
    ip: std::net::IpAddr,
    origin: Option<String>,
}

fn samples() -> Vec<Sample> {
    let file: File = serde_json::from_str(include_str!("vectors/playback_tokens.json")).unwrap();
    file.samples
}

fn claims(claimed: &Claimed) -> Claims {
    let scope = match (&claimed.stream, &claimed.orga) {
        (Some(stream), None) => Scope::Stream(StreamName::parse(stream).unwrap()),
        (_, Some(orga)) => Scope::Orga(Orga::parse(orga).unwrap()),
        (None, None) => panic!("a sample has no scope"),
    };
    Claims {
        scope,
        expires: claimed.expires.map(UnixSeconds),
        ip: claimed.ip,
        referer: claimed
            .referer
            .as_deref()
            .map(|host| Host::bare(host).unwrap()),
        tag: claimed.tag.as_deref().map(|tag| Tag::parse(tag).unwrap()),
    }
}

/// Empty is the same as absent, as `Parameters::from_query` has it.
fn present(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn verdict(sample: &Sample) -> &'static str {
    let stream = StreamName::parse(&sample.request.stream).unwrap();
    let parameters = Parameters {
        token: present(&sample.request.token),
        expires: present(&sample.request.expires),
        options: present(&sample.request.options),
        tag: present(&sample.request.tag),
    };
    let facts = Facts {
        ip: sample.facts.ip,
        referer: sample.facts.origin.as_deref().and_then(Host::of_url),
    };
    let key = Secret::new(sample.secret.as_bytes()).unwrap().key();
    let outcome = Presented::read(&parameters, &stream).and_then(|presented| {
        let found = KeyLookup::Found(key);
        presented.verify(found, &facts, UnixSeconds(sample.now), sample.skew)
    });
    outcome.map_or_else(|denial| denial.code(), |_| "granted")
}

#[test]
fn each_sample_has_the_verdict_that_it_expects() {
    let samples = samples();
    let wrong: Vec<String> = samples
        .iter()
        .filter(|sample| verdict(sample) != sample.expect)
        .map(|sample| format!("{}: {} for {}", sample.name, verdict(sample), sample.expect))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let granted = samples.iter().filter(|s| s.expect == "granted").count();
    assert!(granted >= 32 && samples.len() - granted >= 32);
}

#[test]
fn each_sample_is_minted_byte_for_byte() {
    let mut sets = std::collections::BTreeSet::new();
    for sample in samples() {
        let Some(claimed) = &sample.claims else {
            continue;
        };
        let claims = claims(claimed);
        let hex: String = message(&claims)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(Some(hex), sample.message, "{}", sample.name);
        let minted = mint(&Secret::new(sample.secret).unwrap().key(), &claims);
        assert_eq!(Some(minted.token), sample.request.token, "{}", sample.name);
        let options = minted.options.bits().to_string();
        assert_eq!(Some(options), sample.request.options, "{}", sample.name);
        sets.insert(minted.options.bits());
    }
    assert_eq!(sets.len(), 32, "every option set has a sample");
}

#[test]
fn the_samples_are_reproducible() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/generate.py");
    let status = Command::new("python3").args([script, "--check"]).status();
    assert!(
        status.unwrap().success(),
        "run {script} and commit what it writes"
    );
}
