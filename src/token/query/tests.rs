#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn value(raw: &str, name: &str) -> Option<String> {
    Query::parse(raw)
        .unwrap()
        .get(name)
        .unwrap()
        .map(str::to_owned)
}

#[test]
fn values_are_decoded_once() {
    let rows: &[(&str, &str, Option<&str>)] = &[
        ("plain", "tag=abc", Some("abc")),
        ("absent", "other=abc", None),
        ("empty value", "tag=", Some("")),
        ("no equals sign", "tag", Some("")),
        ("equals sign in the value", "tag=a=b", Some("a=b")),
        ("plus is a space", "tag=a+b", Some("a b")),
        ("%20 is a space", "tag=a%20b", Some("a b")),
        ("%2B is a plus", "tag=a%2Bb", Some("a+b")),
        ("lower-case digits", "tag=a%2bb", Some("a+b")),
        ("decoded once only", "tag=a%2520b", Some("a%20b")),
        (
            "encoded ampersand does not split",
            "tag=a%26token%3Dx",
            Some("a&token=x"),
        ),
        (
            "semicolon does not split",
            "tag=a;token=x",
            Some("a;token=x"),
        ),
        ("unicode", "tag=caf%C3%A9", Some("café")),
        ("encoded name", "t%61g=abc", Some("abc")),
        ("empty pairs are passed over", "&&tag=abc&&", Some("abc")),
        ("case of a name counts", "Tag=abc&TAG=def", None),
        ("array is another name", "tag[]=abc", None),
        ("encoded array is another name", "tag%5B%5D=abc", None),
        ("space before a name is another name", "+tag=abc", None),
        ("NUL behind a name is another name", "tag%00=abc", None),
        ("question mark belongs to the name", "?tag=abc", None),
        (
            "address in a value",
            "tag=rtmp%3A%2F%2Fa.test%2Flive",
            Some("rtmp://a.test/live"),
        ),
    ];
    for (row, raw, expected) in rows {
        assert_eq!(value(raw, "tag").as_deref(), *expected, "{row}");
    }
}

#[test]
fn attacks_by_query_are_refused() {
    let rows: &[(&str, &str, QueryError)] = &[
        ("invalid UTF-8", "tag=%FF", QueryError::Utf8),
        ("invalid UTF-8 in a name", "%FF=a", QueryError::Utf8),
        ("overlong slash", "tag=%C0%AF", QueryError::Utf8),
        ("surrogate", "tag=%ED%A0%80", QueryError::Utf8),
        ("cut character", "tag=%C3", QueryError::Utf8),
        ("lone percent", "tag=100%", QueryError::Percent),
        ("percent with one digit", "tag=%4", QueryError::Percent),
        ("percent with other letters", "tag=%zz", QueryError::Percent),
        ("percent with a sign", "tag=%+1", QueryError::Percent),
        (
            "percent across the ampersand",
            "tag=%&41=x",
            QueryError::Percent,
        ),
        (
            "percent of unicode in 16 bits",
            "tag=%u0041",
            QueryError::Percent,
        ),
        ("raw space", "tag=a b", QueryError::Character(5)),
        ("raw line feed", "tag=a\n", QueryError::Character(5)),
        ("raw NUL", "tag=\0", QueryError::Character(4)),
        ("raw byte outside ASCII", "tag=é", QueryError::Character(4)),
        ("fragment", "tag=a#b", QueryError::Character(5)),
    ];
    for (attack, raw, error) in rows {
        assert_eq!(Query::parse(raw), Err(*error), "{attack}");
    }
}

#[test]
fn every_bound_holds_to_the_byte() {
    let full = format!("a={}", "x".repeat(4096));
    assert!(Query::parse(&full).is_ok());
    assert_eq!(Query::parse(&format!("{full}x")), Err(QueryError::Part));
    assert_eq!(
        Query::parse(&format!("a={}", "x".repeat(8192))),
        Err(QueryError::Part)
    );
    assert_eq!(
        Query::parse(&format!("{}=a", "x".repeat(4097))),
        Err(QueryError::Part)
    );
    // Bounded after decoding: 4096 encoded bytes fit.
    assert!(Query::parse(&format!("a={}", "%41".repeat(4096))).is_ok());

    let many = |n: usize| vec!["a=b"; n].join("&");
    assert!(Query::parse(&many(64)).is_ok());
    assert_eq!(Query::parse(&many(65)), Err(QueryError::Parameters));
    assert_eq!(Query::parse(&many(1000)), Err(QueryError::Parameters));

    assert!(Query::parse(&"&".repeat(16384)).is_ok());
    assert_eq!(
        Query::parse(&"&".repeat(16385)),
        Err(QueryError::Length(16385))
    );
}

#[test]
fn a_repeated_parameter_is_an_error_even_where_the_values_agree() {
    for raw in ["a=1&a=1", "a=1&a=2", "a=&a=1", "a&a", "a=1&%61=1"] {
        let query = Query::parse(raw).unwrap();
        assert_eq!(query.get("a"), Err(Repeated), "{raw}");
        assert_eq!(query.all("a").count(), 2, "{raw}");
    }
}

#[test]
fn debug_shows_names_alone() {
    let query = Query::parse("token=hush&stream=also").unwrap();
    assert_eq!(format!("{query:?}"), r#"Query["token", "stream"]"#);
}
