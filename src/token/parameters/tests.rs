#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn from_query(raw: &str) -> Result<Parameters, Denial> {
    Parameters::from_query(&Query::parse(raw).unwrap())
}

#[test]
fn a_players_query_is_read() {
    let raw = "url=rtmp%3A%2F%2Fa.test%2Flive&stream=ABCDE-demo&cid=5&pid=6&expires=4102444800&tag=a%2Bb%2Fc&token=TTTT&options=9";
    let expected = Parameters {
        token: some("TTTT"),
        expires: some("4102444800"),
        options: some("9"),
        tag: some("a+b/c"),
    };
    assert_eq!(from_query(raw), Ok(expected));
}

#[test]
fn attacks_by_parameters_in_a_query() {
    let none = Parameters::default();
    let token = |text| Parameters {
        token: some(text),
        ..Parameters::default()
    };
    let rows: &[(&str, &str, Result<Parameters, Denial>)] = &[
        ("nothing", "", Ok(none.clone())),
        (
            "empty values are absent",
            "token=&expires=&options=&tag=",
            Ok(none.clone()),
        ),
        (
            "server token before ours",
            "token=server&token=ours",
            Ok(token("ours")),
        ),
        (
            "empty token after another is missing",
            "token=server&token=",
            Ok(none.clone()),
        ),
        (
            "three tokens",
            "token=a&token=b&token=c",
            Err(Denial::Repeated("token")),
        ),
        (
            "repeated expires",
            "expires=1&expires=2",
            Err(Denial::Repeated("expires")),
        ),
        (
            "repeated expires that agree",
            "expires=1&expires=1",
            Err(Denial::Repeated("expires")),
        ),
        (
            "repeated expires, one empty",
            "expires=&expires=1",
            Err(Denial::Repeated("expires")),
        ),
        (
            "repeated options",
            "options=0&options=9",
            Err(Denial::Repeated("options")),
        ),
        ("repeated tag", "tag=a&tag=b", Err(Denial::Repeated("tag"))),
        (
            "repeated by encoding",
            "tag=a&%74ag=b",
            Err(Denial::Repeated("tag")),
        ),
        ("array", "token[]=a&options[]=9", Ok(none.clone())),
        ("mixed case", "Token=a&OPTIONS=9", Ok(none.clone())),
        (
            "semicolon is no separator",
            "token=a;options=9",
            Ok(token("a;options=9")),
        ),
        (
            "prefix of the page's URL",
            "h5live.security.token=a",
            Ok(none),
        ),
    ];
    for (row, raw, expected) in rows {
        assert_eq!(&from_query(raw), expected, "{row}");
    }
}

#[test]
fn a_security_object_is_read() {
    let all = Parameters {
        token: some("T"),
        expires: some("1591747200"),
        options: some("9"),
        tag: some("a"),
    };
    let rows: &[(&str, &str, Parameters)] = &[
        (
            "as minted",
            r#"{"expires":"1591747200","tag":"a","token":"T","options":9}"#,
            all.clone(),
        ),
        (
            "options as a string",
            r#"{"expires":"1591747200","tag":"a","token":"T","options":"9"}"#,
            all.clone(),
        ),
        (
            "expires as a number",
            r#"{"expires":1591747200,"tag":"a","token":"T","options":9}"#,
            all.clone(),
        ),
        (
            "unknown keys",
            r#"{"expires":"1591747200","x":[{}],"tag":"a","token":"T","options":9,"jwtoken":null}"#,
            all,
        ),
        (
            "empty is absent",
            r#"{"expires":"","tag":"","token":"","options":""}"#,
            Parameters::default(),
        ),
        ("empty object", "{}", Parameters::default()),
    ];
    for (row, json, expected) in rows {
        assert_eq!(
            &serde_json::from_str::<Parameters>(json).unwrap(),
            expected,
            "{row}"
        );
    }
}

#[test]
fn attacks_by_type_in_a_security_object_are_refused() {
    let rows: &[(&str, &str)] = &[
        ("expires as an exponent", r#"{"expires":1e9}"#),
        ("expires negative", r#"{"expires":-1}"#),
        ("expires as a fraction", r#"{"expires":1.5}"#),
        ("expires true", r#"{"expires":true}"#),
        ("expires null", r#"{"expires":null}"#),
        (
            "expires beyond 64 bits",
            r#"{"expires":18446744073709551616}"#,
        ),
        ("expires in an array", r#"{"expires":["1"]}"#),
        ("options null", r#"{"options":null}"#),
        ("options true", r#"{"options":true}"#),
        ("options negative", r#"{"options":-9}"#),
        ("options as an object", r#"{"options":{"bits":9}}"#),
        ("token as a number", r#"{"token":5}"#),
        ("token null", r#"{"token":null}"#),
        ("token in an array", r#"{"token":["T"]}"#),
        ("tag as a number", r#"{"tag":5}"#),
        ("tag false", r#"{"tag":false}"#),
        ("tag null", r#"{"tag":null}"#),
        ("repeated token", r#"{"token":"a","token":"b"}"#),
        ("repeated token, first empty", r#"{"token":"","token":"b"}"#),
        ("repeated options", r#"{"options":9,"options":"0"}"#),
        ("repeated by escape", r#"{"tag":"a","t\u0061g":"b"}"#),
        ("array for the object", r#"["T","1","9","a"]"#),
        ("null for the object", "null"),
        ("number for the object", "9"),
    ];
    for (attack, json) in rows {
        assert!(
            serde_json::from_str::<Parameters>(json).is_err(),
            "{attack}"
        );
    }
}

#[test]
fn a_token_in_place_of_the_object_is_not_printed() {
    let error = serde_json::from_str::<Parameters>(r#""hush-hush""#).unwrap_err();
    assert!(!error.to_string().contains("hush"), "{error}");
}

#[test]
fn debug_shows_no_token() {
    let parameters = Parameters {
        token: some("hush-hush"),
        tag: some("shown"),
        ..Parameters::default()
    };
    let shown = format!("{parameters:?}");
    assert!(
        !shown.contains("hush") && shown.contains("shown"),
        "{shown}"
    );
}
