#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;

use super::*;
use crate::token::{DenialKind, Host, Minted, Secret, mint};

const NOW: UnixSeconds = UnixSeconds(1_591_700_000);
const EXPIRY: UnixSeconds = UnixSeconds(1_591_747_200);

fn key() -> Key {
    Secret::new("sixteen bytes at least").unwrap().key()
}

fn stream(name: &str) -> StreamName {
    StreamName::parse(name).unwrap()
}

fn claims() -> Claims {
    Claims::of(Scope::Stream(stream("ABCDE-demo")))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A connection that shows this address and page.
fn facts(address: &str, page: &str) -> Facts {
    Facts {
        ip: ip(address),
        referer: Host::of_url(page),
    }
}

fn anyone() -> Facts {
    facts("198.51.100.1", "null")
}

fn pass_on(minted: Minted) -> Parameters {
    Parameters {
        token: Some(minted.token),
        expires: Some(minted.expires),
        options: Some(minted.options.to_string()),
        tag: Some(minted.tag),
    }
}

fn minted(claims: &Claims) -> Parameters {
    pass_on(mint(&key(), claims))
}

fn verify_for(name: &str, parameters: &Parameters, facts: &Facts) -> Result<Grant, Denial> {
    Presented::read(parameters, &stream(name))?.verify(KeyLookup::Found(key()), facts, NOW, 0)
}

fn verify(parameters: &Parameters, facts: &Facts) -> Result<Grant, Denial> {
    verify_for("ABCDE-demo", parameters, facts)
}

#[test]
fn a_grant_says_what_the_token_claimed() {
    let all = Claims {
        scope: Scope::Orga(stream("ABCDE-demo").orga()),
        expires: Some(EXPIRY),
        ip: Some(ip("192.0.2.7")),
        referer: Host::bare("demo.example.de").ok(),
        tag: Tag::parse("a tag").ok(),
    };
    let connection = facts("::ffff:192.0.2.7", "https://demo.example.de");
    let numbered = Key::from_parts(key().kid(), *key().signing_bytes(), 7);
    let presented = Presented::read(&minted(&all), &stream("ABCDE-demo")).unwrap();
    assert_eq!(presented.scope(), &all.scope);
    assert_eq!(presented.kid(), key().kid());
    let grant = presented
        .verify(KeyLookup::Found(numbered), &connection, NOW, 0)
        .unwrap();
    assert_eq!(grant.stream(), &stream("ABCDE-demo"));
    assert_eq!(grant.scope(), &all.scope);
    assert_eq!(grant.expires(), all.expires);
    assert_eq!(grant.ip(), all.ip);
    assert_eq!(grant.referer(), all.referer.as_ref());
    assert_eq!(grant.tag(), all.tag.as_ref());
    assert_eq!((grant.kid(), grant.revision()), (key().kid(), 7));
}

#[test]
fn a_token_bound_to_nothing_but_its_stream_is_legal() {
    let grant = verify(&minted(&claims()), &anyone()).unwrap();
    assert_eq!(grant.scope(), &claims().scope);
    assert_eq!((grant.expires(), grant.ip()), (None, None));
    assert_eq!((grant.referer(), grant.tag()), (None, None));
}

#[test]
fn attacks_by_page_on_a_token_bound_to_one() {
    let bound = minted(&Claims {
        referer: Host::bare("demo.example.de").ok(),
        ..claims()
    });
    let granted: &[(&str, &str)] = &[
        ("as minted", "https://demo.example.de"),
        ("upper case", "HTTPS://DEMO.example.DE"),
        ("trailing dot", "https://demo.example.de./"),
        ("port", "https://demo.example.de:8443"),
        ("path and query", "http://demo.example.de/a?b"),
    ];
    for (row, page) in granted {
        assert!(verify(&bound, &facts("192.0.2.7", page)).is_ok(), "{row}");
    }
    let denied: &[(&str, &str, Denial)] = &[
        (
            "evil suffix",
            "https://demo.example.de.evil.com",
            Denial::Mismatch,
        ),
        (
            "userinfo",
            "https://demo.example.de@evil.com",
            Denial::Mismatch,
        ),
        (
            "query",
            "http://evil.com/?demo.example.de",
            Denial::Mismatch,
        ),
        ("subdomain", "https://a.demo.example.de", Denial::Mismatch),
        ("parent domain", "https://example.de", Denial::Mismatch),
        ("missing", "", Denial::RefererMissing),
        ("null", "null", Denial::RefererMissing),
    ];
    for (row, page, denial) in denied {
        let got = verify(&bound, &facts("192.0.2.7", page));
        assert_eq!(got, Err(*denial), "{row}");
        assert_eq!(denial.kind(), DenialKind::Invalid, "{row}");
    }
}

#[test]
fn attacks_by_address_on_a_token_bound_to_one() {
    let rows: &[(&str, &str, &str, bool)] = &[
        ("as minted", "192.0.2.7", "192.0.2.7", true),
        ("mapped peer", "192.0.2.7", "::ffff:192.0.2.7", true),
        ("mapped peer in hex", "192.0.2.7", "::ffff:c000:207", true),
        ("mapped when minted", "::ffff:192.0.2.7", "192.0.2.7", true),
        ("IPv6", "2001:db8::7", "2001:db8:0:0::7", true),
        ("another IPv4", "192.0.2.7", "192.0.2.8", false),
        ("another mapped", "192.0.2.7", "::ffff:192.0.2.8", false),
        ("compatible, not mapped", "192.0.2.7", "::192.0.2.7", false),
        ("NAT64", "192.0.2.7", "64:ff9b::192.0.2.7", false),
        ("6to4", "192.0.2.7", "2002:c000:207::", false),
        ("IPv6 of one network", "2001:db8::7", "2001:db8::8", false),
        ("loopbacks differ", "127.0.0.1", "::1", false),
    ];
    for (row, bound, peer, granted) in rows {
        let parameters = minted(&Claims {
            ip: Some(ip(bound)),
            ..claims()
        });
        let got = verify(&parameters, &facts(peer, "null"));
        match granted {
            true => assert_eq!(
                got.map(|g| g.ip()),
                Ok(Some(ip(bound).to_canonical())),
                "{row}"
            ),
            false => assert_eq!(got, Err(Denial::Mismatch), "{row}"),
        }
    }
}

#[test]
fn attacks_by_fields_that_slide_into_each_other() {
    let tagged = |name: &str, tag: &str| Claims {
        tag: Tag::parse(tag).ok(),
        ..Claims::of(Scope::Stream(stream(name)))
    };
    let rows: &[(&str, Claims, &str, Option<&str>, &str)] = &[
        (
            "tag into stream",
            tagged("A-ch", "1700"),
            "A-ch1",
            Some("700"),
            "8",
        ),
        (
            "stream into tag",
            tagged("A-ch1", "700"),
            "A-ch",
            Some("1700"),
            "8",
        ),
        ("tag as a whole", tagged("A-ch", "1"), "A-ch1", None, "0"),
        (
            "stream for organisation",
            Claims::of(Scope::Stream(stream("A-ch"))),
            "A-ch",
            None,
            "16",
        ),
        (
            "organisation for stream",
            Claims::of(Scope::Orga(stream("A-ch").orga())),
            "A-ch",
            None,
            "0",
        ),
        (
            "organisation grows",
            Claims::of(Scope::Orga(stream("A-ch").orga())),
            "AA-ch",
            None,
            "16",
        ),
    ];
    for (row, claims, name, tag, options) in rows {
        let slid = Parameters {
            token: minted(claims).token,
            options: Some((*options).to_owned()),
            tag: tag.map(str::to_owned),
            expires: None,
        };
        assert_eq!(
            verify_for(name, &slid, &anyone()),
            Err(Denial::Mismatch),
            "{row}"
        );
    }
    // A referer and a tag of which the bits are exchanged: the same text under another name.
    let page = Claims {
        referer: Host::bare("demo.example.de").ok(),
        ..claims()
    };
    let as_tag = Parameters {
        token: minted(&page).token,
        options: Some("8".to_owned()),
        tag: Some("demo.example.de".to_owned()),
        expires: None,
    };
    assert_eq!(verify(&as_tag, &anyone()), Err(Denial::Mismatch));
}

#[test]
fn a_token_is_valid_until_the_second_before_its_expiry_and_the_skew() {
    let rows: &[(&str, u64, u64, u64, bool)] = &[
        ("the second before", 100, 99, 0, true),
        ("the second itself", 100, 100, 0, false),
        ("the last second of the skew", 100, 109, 10, true),
        ("the skew's end", 100, 110, 10, false),
        ("at zero", 0, 0, 0, false),
        ("a sum that does not fit", u64::MAX, u64::MAX - 1, 10, true),
        ("the end of time", u64::MAX, u64::MAX, u64::MAX, false),
    ];
    for (row, expires, now, skew, granted) in rows {
        let parameters = minted(&Claims {
            expires: Some(UnixSeconds(*expires)),
            ..claims()
        });
        let presented = Presented::read(&parameters, &stream("ABCDE-demo")).unwrap();
        let got = presented.verify(KeyLookup::Found(key()), &anyone(), UnixSeconds(*now), *skew);
        let expected = if *granted {
            Ok(())
        } else {
            Err(Denial::Expired)
        };
        assert_eq!(got.map(drop), expected, "{row}");
    }
}

#[test]
fn only_the_holder_of_a_valid_token_learns_that_it_expired() {
    let parameters = minted(&Claims {
        expires: Some(UnixSeconds(1)),
        ..claims()
    });
    let presented = Presented::read(&parameters, &stream("ABCDE-demo")).unwrap();
    let other = Secret::new("another secret of 16 bytes").unwrap().key();
    let forged = Key::from_parts(key().kid(), *other.signing_bytes(), 0);
    let rows: Vec<(&str, KeyLookup, Denial)> = vec![
        ("valid once", KeyLookup::Found(key()), Denial::Expired),
        (
            "forged under a known key id",
            KeyLookup::Found(forged),
            Denial::Mismatch,
        ),
        (
            "key of another id",
            KeyLookup::Found(other),
            Denial::KeyUnknown,
        ),
        ("withdrawn", KeyLookup::Unknown, Denial::KeyUnknown),
        (
            "records gone",
            KeyLookup::Unavailable,
            Denial::RecordsUnavailable,
        ),
    ];
    for (row, lookup, denial) in rows {
        assert_eq!(
            presented.verify(lookup, &anyone(), NOW, 0),
            Err(denial),
            "{row}"
        );
    }
}

/// Who knows how the verifier keeps its time for an unknown key must not gain by it.
#[test]
fn a_token_signed_with_the_stand_in_of_an_unknown_key_is_denied() {
    let stand_in = Key::from_parts(key().kid(), [0; 32], 0);
    let parameters = pass_on(mint(&stand_in, &claims()));
    let presented = Presented::read(&parameters, &stream("ABCDE-demo")).unwrap();
    let got = presented.verify(KeyLookup::Unknown, &anyone(), NOW, 0);
    assert_eq!(got, Err(Denial::KeyUnknown));
}

#[test]
fn debug_shows_neither_token_nor_mac() {
    let minted = mint(&key(), &claims());
    let token = minted.token.clone();
    let parameters = pass_on(minted.clone());
    let presented = Presented::read(&parameters, &stream("ABCDE-demo")).unwrap();
    let lookup = KeyLookup::Found(key());
    let grant = verify(&parameters, &anyone()).unwrap();
    let shown = format!("{minted:?} {parameters:?} {presented:?} {lookup:?} {grant:?}");
    assert!(!shown.contains(&token), "{shown}");
    assert!(!shown.contains(&token[8..20]), "{shown}");
    let mac = format!("{:?}", presented.envelope.mac);
    assert!(!shown.contains(mac.trim_matches(['[', ']'])), "{shown}");
}
