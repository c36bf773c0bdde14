//! Every mix of what a token can be bound to, on every door: 32 sets of options, each with the right facts
//! and with each single wrong one. Tokens come from the API, but for those that have expired.
//!
//! Not covered: forged macs (`attacks_*.rs`), addresses behind proxies (`transport_proxy.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use h5live::token::{Claims, Host, Orga, Scope, Secret, StreamName, Tag, UnixSeconds, mint};
use serde_json::{Value, json};
use support::doors::{DOORS, ELSEWHERE, Facts, HERE, ask};
use support::hls::{STREAM, Site};
use support::raw::Table;
use support::server::Security;

const EXPIRES: u8 = 1;
const IP: u8 = 2;
const REFERER: u8 = 4;
const TAG: u8 = 8;
const ORGA: u8 = 16;

const SIBLING: &str = "ABCDE-other";
const STRANGER: &str = "FGHIJ-demo";
const PAGE: &str = "https://demo.example.test:8443";
const EVIL: &str = "https://demo.example.test.evil.test";
const PAST: u64 = 1_591_747_200;

/// As `tests/support/hls.rs` registers the stream with.
const SECRET: &str = "the secret of these segments";
const ORGA_SECRET: &str = "the secret of all their streams";

/// What the API is asked for.
fn wish(options: u8, expires: u64) -> Value {
    let mut wish = json!({});
    let (scope, name) = match options & ORGA {
        0 => ("streamname", STREAM),
        _ => ("orga", "ABCDE"),
    };
    wish[scope] = json!(name);
    let fields = [
        (EXPIRES, "expires", json!(expires)),
        (IP, "ip", json!("127.0.0.1")),
        (REFERER, "referer", json!("demo.example.test")),
        (TAG, "tag", json!("viewer 1/ü")),
    ];
    for (bit, name, value) in fields {
        if options & bit != 0 {
            wish[name] = value;
        }
    }
    wish
}

/// The same, signed by ourselves, expired long ago: the API mints none such.
fn expired(options: u8) -> Security {
    let (scope, secret) = match options & ORGA {
        0 => (Scope::Stream(StreamName::parse(STREAM).unwrap()), SECRET),
        _ => (Scope::Orga(Orga::parse("ABCDE").unwrap()), ORGA_SECRET),
    };
    let bound = |bit| (options & bit != 0).then_some(());
    let claims = Claims {
        expires: Some(UnixSeconds(PAST)),
        ip: bound(IP).map(|()| HERE.into()),
        referer: bound(REFERER).map(|()| Host::bare("demo.example.test").unwrap()),
        tag: bound(TAG).map(|()| Tag::parse("viewer 1/ü").unwrap()),
        ..Claims::of(scope)
    };
    mint(&Secret::new(secret).unwrap().key(), &claims).into()
}

type Row = (String, Facts, &'static str);

/// The right facts, each single wrong one, and those that this token does not look at.
fn rows(options: u8, good: &Facts) -> Vec<Row> {
    let mut rows = vec![("right".to_owned(), good.clone(), "open")];
    let mut row = |name: &str, code, change: &dyn Fn(&mut Facts)| {
        let mut facts = good.clone();
        change(&mut facts);
        rows.push((name.to_owned(), facts, code));
    };
    let has = |bit| options & bit != 0;
    let fact = |bit| if has(bit) { "4901" } else { "open" };
    row("address", fact(IP), &|facts| facts.from = ELSEWHERE);
    row("page", fact(REFERER), &|facts| facts.page = Some(EVIL));
    row("no page", fact(REFERER), &|facts| facts.page = None);
    row("null page", fact(REFERER), &|facts| {
        facts.page = Some("null")
    });
    let sibling = if has(ORGA) { "open" } else { "4901" };
    row("sibling", sibling, &|facts| facts.stream = SIBLING);
    row("stranger", "4901", &|facts| facts.stream = STRANGER);
    if has(EXPIRES) {
        row("expired", "4903", &|facts| facts.token = expired(options));
        row("no expiry", "4903", &|facts| facts.token.expires.clear());
        row("later", "4901", &|facts| {
            let expires: u64 = facts.token.expires.parse().unwrap();
            facts.token.expires = (expires + 1).to_string();
        });
    } else {
        row("an expiry", "4901", &|facts| {
            facts.token.expires = (PAST * 2).to_string()
        });
    }
    if has(TAG) {
        row("no tag", "4903", &|facts| facts.token.tag.clear());
    }
    row("tag", "4901", &|facts| {
        facts.token.tag = "viewer 2".to_owned()
    });
    row("no token", "4903", &|facts| facts.token.token.clear());
    row("no options", "4903", &|facts| facts.token.options.clear());
    for bit in [EXPIRES, IP, REFERER, TAG, ORGA, 32] {
        // A bit that says that something is in the request which is not.
        let missing = [EXPIRES, TAG].contains(&bit) && !has(bit);
        let code = if missing { "4903" } else { "4901" };
        row(&format!("options ^ {bit}"), code, &|facts| {
            facts.token.options = (options ^ bit).to_string();
        });
    }
    rows
}

#[test]
fn every_mix_of_bindings_holds_on_every_door() {
    let site = Site::start();
    let _publishers = [site.publish(), site.publish_as(SIBLING)];
    site.server
        .register(SIBLING, "the secret of another stream");
    let (status, answer) = (site.server).post(
        "/secure/orga",
        &json!({"orga": "ABCDE", "secret": ORGA_SECRET}),
    );
    assert_eq!(status, 200, "{answer}");
    let hour = SystemTime::now() + Duration::from_secs(3600);
    let expires = hour.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut table = Table::default();
    let mut asked = 0;
    for options in 0..32 {
        let good = Facts {
            stream: STREAM,
            token: site.server.mint(&wish(options, expires)),
            from: HERE,
            page: Some(PAGE),
        };
        assert_eq!(good.token.options, options.to_string());
        for (name, facts, expected) in rows(options, &good) {
            for door in DOORS {
                let row = format!("{options}, {name}, {door}");
                table.row(&row, &ask(&site, door, &facts), expected);
                asked += 1;
            }
        }
    }
    table.check();
    assert!(asked > 32 * 3 * 15, "{asked}");
}
