#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

#[test]
fn names_of_every_permitted_form_are_read_as_written() {
    let orga = "o".repeat(32);
    let part = "p".repeat(64);
    for name in [
        "a-b",
        "ABCDE-demo",
        "ABCDE-demo_1",
        "A1-b-c-d",
        "0-0",
        "x-_",
        &format!("{orga}-{part}"),
    ] {
        let parsed = StreamName::parse(name).unwrap();
        assert_eq!(parsed.as_str(), name);
        assert_eq!(parsed.to_string(), name);
    }
}

#[test]
fn a_name_of_255_bytes_is_the_longest() {
    let longest = format!(
        "{}-{}-{}-{}",
        "o".repeat(60 - 28),
        "p".repeat(64),
        "q".repeat(64),
        "r".repeat(64)
    );
    let longest = format!("{longest}-{}", "s".repeat(255 - longest.len() - 1));
    assert_eq!(longest.len(), 255);
    StreamName::parse(&longest).unwrap();
    assert_eq!(
        StreamName::parse(&format!("{longest}s")),
        Err(StreamNameError::Length(256))
    );
}

#[test]
fn the_organisation_is_what_stands_before_the_first_dash() {
    assert_eq!(
        StreamName::parse("ABCDE-demo-2").unwrap().orga(),
        Orga::parse("ABCDE").unwrap()
    );
    assert_eq!(Orga::parse("ABCDE").unwrap().to_string(), "ABCDE");
}

#[test]
fn the_case_of_a_name_counts() {
    assert_ne!(
        StreamName::parse("abcde-demo"),
        StreamName::parse("ABCDE-demo")
    );
}

#[test]
fn attacks_by_name_are_refused() {
    let part = StreamNameError::Part;
    let orga = StreamNameError::Orga(OrgaError);
    let rows: &[(&str, &str, &StreamNameError)] = &[
        (
            "librtmp option by a space",
            "ABCDE-x socks=127.0.0.1:9",
            &part,
        ),
        (
            "librtmp playpath by a space",
            "ABCDE-x playpath=other",
            &part,
        ),
        ("equals sign alone", "ABCDE-x=y", &part),
        ("tab", "ABCDE-x\ty", &part),
        ("line feed at the end", "ABCDE-demo\n", &part),
        ("carriage return", "ABCDE-demo\r", &part),
        ("NUL", "ABCDE-demo\0", &part),
        ("leading space", " ABCDE-demo", &orga),
        ("trailing space", "ABCDE-demo ", &part),
        ("double quote", "ABCDE-\"demo", &part),
        ("single quote", "ABCDE-'demo", &part),
        ("backslash", "ABCDE-de\\20mo", &part),
        ("path upwards", "ABCDE-../other", &part),
        ("slash", "ABCDE-demo/other", &part),
        ("dot", "ABCDE-demo.flv", &part),
        ("stream parameters", "ABCDE-demo?a=b", &part),
        ("percent sign not decoded", "ABCDE-demo%20x", &part),
        ("plus sign", "ABCDE-demo+x", &part),
        ("semicolon", "ABCDE-demo;x", &part),
        ("comma", "ABCDE-demo,x", &part),
        ("exclamation mark of a pipeline", "ABCDE-demo!x", &part),
        ("look-alike letter", "АBCDE-demo", &orga),
        ("letter outside ASCII", "ABCDE-démo", &part),
        ("full-width dash", "ABCDE－demo", &orga),
        ("empty", "", &orga),
        ("no organisation", "-demo", &orga),
        ("underscore in the organisation", "AB_DE-demo", &orga),
        (
            "organisation too long",
            "ooooooooooooooooooooooooooooooooo-demo",
            &orga,
        ),
        ("no stream", "ABCDE", &part),
        ("empty stream", "ABCDE-", &part),
        ("empty part", "ABCDE--demo", &part),
        (
            "part too long",
            "A-ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp",
            &part,
        ),
    ];
    for (attack, name, error) in rows {
        assert_eq!(StreamName::parse(name).as_ref(), Err(*error), "{attack}");
    }
}

#[test]
fn an_organisation_is_letters_and_digits_only() {
    Orga::parse("A").unwrap();
    Orga::parse(&"9".repeat(32)).unwrap();
    for text in ["", "A-b", "A_b", "A b", "A\n", "Ä", &"9".repeat(33)] {
        assert_eq!(Orga::parse(text), Err(OrgaError), "{text:?}");
    }
}
