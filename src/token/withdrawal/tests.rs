#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::token::{
    Claims, Facts, Key, KeyLookup, Parameters, Presented, Secret, UnixSeconds, mint,
};

const SECRET: &str = "the secret of these grants";

fn stream(name: &str) -> StreamName {
    StreamName::parse(name).unwrap()
}

fn orga(name: &str) -> Orga {
    Orga::parse(name).unwrap()
}

/// The grant that a viewer of `name` gets by a token of `scope`, its record at `revision`.
fn grant(name: &str, scope: Scope, tag: Option<&str>, secret: &str, revision: u64) -> Grant {
    let key = Secret::new(secret).unwrap().key();
    let mut claims = Claims::of(scope);
    claims.tag = tag.map(|tag| Tag::parse(tag).unwrap());
    let minted = mint(&key, &claims);
    let parameters = Parameters {
        token: Some(minted.token),
        options: Some(minted.options.to_string()),
        tag: Some(minted.tag),
        ..Parameters::default()
    };
    let key = Key::from_parts(key.kid(), *key.signing_bytes(), revision);
    let facts = Facts {
        ip: "192.0.2.7".parse().unwrap(),
        referer: None,
    };
    let presented = Presented::read(&parameters, &stream(name)).unwrap();
    presented
        .verify(KeyLookup::Found(key), &facts, UnixSeconds(0), 0)
        .unwrap()
}

#[test]
fn a_record_ends_what_its_older_revisions_signed() {
    let of_stream = Scope::Stream(stream("ABCDE-demo"));
    let of_orga = Scope::Orga(orga("ABCDE"));
    let second = grant("ABCDE-demo", of_stream.clone(), None, SECRET, 2);
    let by_orga = grant("ABCDE-demo", of_orga.clone(), None, SECRET, 1);
    let client = "192.0.2.7".parse().unwrap();
    let rows = [
        ("a rotation to itself", &of_stream, 2, false, false),
        (
            "an earlier rotation, told late",
            &of_stream,
            1,
            false,
            false,
        ),
        ("a rotation", &of_stream, 3, true, false),
        ("a revocation", &of_stream, u64::MAX, true, false),
        ("the organisation's", &of_orga, u64::MAX, false, true),
        (
            "another stream's",
            &Scope::Stream(stream("ABCDE-demo2")),
            u64::MAX,
            false,
            false,
        ),
    ];
    for (name, scope, before, ends_stream, ends_orga) in rows {
        let withdrawal = Withdrawal::Record {
            scope: scope.clone(),
            before,
        };
        assert_eq!(withdrawal.ends(&second, client), ends_stream, "{name}");
        assert_eq!(withdrawal.ends(&by_orga, client), ends_orga, "{name}");
        let here = withdrawal.clone().on(stream("ABCDE-demo"));
        assert_eq!(here.ends(&second, client), ends_stream, "{name}");
        assert_eq!(here.ends(&by_orga, client), ends_orga, "{name}");
        let elsewhere = withdrawal.on(stream("ABCDE-demo2"));
        assert!(!elsewhere.ends(&second, client), "{name}");
        assert!(!elsewhere.ends(&by_orga, client), "{name}");
    }
}

#[test]
fn a_selection_has_what_matches_in_all_that_is_given() {
    let of_stream = Scope::Stream(stream("ABCDE-demo"));
    let tagged = grant("ABCDE-demo", of_stream, Some("viewer 1"), SECRET, 1);
    let by_orga = grant("ABCDE-demo", Scope::Orga(orga("ABCDE")), None, SECRET, 1);
    let mine = || Selection::of(orga("ABCDE"));
    let kid = Some(tagged.kid());
    let tag = |tag| Some(Tag::parse(tag).unwrap());
    let ip = |ip: &str| Some(ip.parse().unwrap());
    #[rustfmt::skip]
    let rows = [
        ("nothing", mine(), true, true),
        ("another organisation", Selection::of(orga("ABCD")), false, false),
        ("a prefix of its case", Selection::of(orga("abcde")), false, false),
        ("the stream", Selection { stream: Some(stream("ABCDE-demo")), ..mine() }, true, true),
        ("another stream", Selection { stream: Some(stream("ABCDE-demo2")), ..mine() }, false, false),
        ("the whole organisation", Selection { whole_orga: true, ..mine() }, false, true),
        ("kid", Selection { kid, ..mine() }, true, true),
        ("another kid", Selection { kid: Some(Kid([0; 4])), ..mine() }, false, false),
        ("tag", Selection { tag: tag("viewer 1"), ..mine() }, true, false),
        ("another tag", Selection { tag: tag("viewer"), ..mine() }, false, false),
        ("address", Selection { ip: ip("192.0.2.7"), ..mine() }, true, true),
        ("address, mapped", Selection { ip: ip("::ffff:192.0.2.7"), ..mine() }, true, true),
        ("another address", Selection { ip: ip("192.0.2.70"), ..mine() }, false, false),
        ("tag and address", Selection { tag: tag("viewer 1"), ip: ip("192.0.2.7"), ..mine() }, true, false),
        ("tag and another address", Selection { tag: tag("viewer 1"), ip: ip("192.0.2.8"), ..mine() }, false, false),
        ("tag of another organisation", Selection { tag: tag("viewer 1"), ..Selection::of(orga("OTHER")) }, false, false),
    ];
    let client = "192.0.2.7".parse().unwrap();
    for (name, selection, has_tagged, has_by_orga) in rows {
        let withdrawal = Withdrawal::Sessions(selection);
        assert_eq!(withdrawal.ends(&tagged, client), has_tagged, "{name}");
        assert_eq!(withdrawal.ends(&by_orga, client), has_by_orga, "{name}");
    }
}
