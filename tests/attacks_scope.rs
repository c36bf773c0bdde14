//! Attacks on what a token says for itself: its stream or organisation, its expiry, its tag, its
//! options, and the origin that a viewer names beside it; and on one organisation by another's API key.
//! Each is refused before a byte is sent, and no origin hears of it, neither ours nor one of the
//! viewer's choice.
//!
//! Elsewhere: every single bit of every combination (`token_vectors.rs`, `token_properties.rs`), what
//! comes from the connection (`attacks_binding.rs`), the API's refusals one by one
//! (`issuer_refusals.rs`). Not covered: sessions that run when a secret is replaced.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod support;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use attacks::{Attempt, BAD, DEMO, Doors, EXPIRED, INVALID, PLAY, SECRET, Ticket, claims};
use h5live::token::{Claims, Orga, Scope, Secret, StreamName, Tag, UnixSeconds, mint};
use serde_json::{Value, json};
use support::server::{Security, program};

const OTHER: &str = "OTHER-demo";

fn of_stream(name: &str, secret: &str) -> Ticket {
    let claims = Claims::of(Scope::Stream(StreamName::parse(name).unwrap()));
    Ticket::of(name, &mint(&Secret::new(secret).unwrap().key(), &claims))
}

/// What the API minted, for a stream.
fn minted(stream: &str, security: &Security) -> Ticket {
    Ticket {
        stream: stream.to_owned(),
        url: String::new(),
        token: security.token.clone(),
        expires: security.expires.clone(),
        tag: security.tag.clone(),
        options: security.options.clone(),
        more: String::new(),
    }
}

/// An account of the organisation `OTHER` on the running server; its API key.
fn other_account(doors: &Doors) -> String {
    let output = program()
        .args(["account", "add", "--orga", "OTHER", "--config"])
        .arg(doors.server.directory().join("h5live.toml"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let key = text.lines().find_map(|line| line.strip_prefix("api-key: "));
    key.unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn a_token_is_good_for_its_stream_or_organisation_only() {
    let doors = Doors::start("");
    let other_key = other_account(&doors);
    let post = |path: &str, key: &str, body: Value| doors.server.post_with_key(path, key, &body);
    // The same secret on both sides of the fence: the names alone must tell them apart.
    let body = json!({"streamname": OTHER, "secret": SECRET});
    assert_eq!(post("/secure/stream", &other_key, body).0, 200);
    doors.server.register("ABCDE-other", SECRET);
    doors.server.register("ABCDE-demo-2", SECRET);
    doors.server.register("ABCDE-rotated", SECRET);
    doors
        .server
        .register("ABCDE-rotated", "the next secret of it");

    // Organisation OTHER's key moves nothing of ABCDE, and the other way.
    #[rustfmt::skip]
    let rows = [
        ("registers a stream of the other", "/secure/stream", &*other_key, json!({"streamname": DEMO, "secret": "taken over by another"})),
        ("registers a new stream of the other", "/secure/stream", &*other_key, json!({"streamname": "ABCDE-new", "secret": SECRET})),
        ("mints for a stream of the other", "/secure/token", &*other_key, json!({"streamname": DEMO})),
        ("mints for the other", "/secure/token", &*other_key, json!({"orga": "ABCDE"})),
        ("mints for a prefix", "/secure/token", &*other_key, json!({"orga": "OTHE"})),
        ("mints for a longer name", "/secure/token", &*other_key, json!({"streamname": "OTHERS-demo"})),
        ("registers, the other way", "/secure/stream", doors.server.api_key(), json!({"streamname": OTHER, "secret": "taken over by another"})),
        ("mints, the other way", "/secure/token", doors.server.api_key(), json!({"streamname": OTHER})),
        ("mints for all, the other way", "/secure/token", doors.server.api_key(), json!({"orga": "OTHER"})),
    ];
    for (name, path, key, body) in rows {
        let (status, answer) = post(path, key, body);
        assert_eq!(status, 403, "{name}: {answer}");
        assert_eq!(answer["error"]["code"], "other_organisation", "{name}");
    }

    let demo = Ticket::new(&claims());
    let orga = minted(DEMO, &doors.server.mint(&json!({"orga": "ABCDE"})));
    let forged = Claims::of(Scope::Orga(Orga::parse("ABCDE").unwrap()));
    let forged = Ticket::new(&forged);
    let stream = |ticket: &Ticket, name: &str| ticket.with(|ticket| ticket.stream = name.into());
    let options = |ticket: &Ticket, bits: &str| ticket.with(|ticket| ticket.options = bits.into());
    let mut attempts: Vec<Attempt> = Vec::new();
    #[rustfmt::skip]
    let rows = [
        ("its stream", demo.clone(), PLAY),
        ("another stream with the same secret", stream(&demo, "ABCDE-other"), INVALID),
        ("a longer name", stream(&demo, "ABCDE-demo-2"), INVALID),
        ("a stream of nobody", stream(&demo, "ABCDE-never"), INVALID),
        ("the other organisation's stream with the same secret", stream(&demo, OTHER), INVALID),
        ("the other organisation's token", stream(&of_stream(OTHER, SECRET), DEMO), INVALID),
        ("upper case", stream(&demo, "ABCDE-DEMO"), INVALID),
        ("lower case of the organisation", stream(&demo, "abcde-demo"), INVALID),
        ("a replaced secret", of_stream("ABCDE-rotated", SECRET), INVALID),
        ("the secret that replaced it", of_stream("ABCDE-rotated", "the next secret of it"), PLAY),
        ("a secret of nobody", of_stream(DEMO, "the secret of nobody"), INVALID),
        ("made an organisation's", options(&demo, "16"), INVALID),

        ("organisation: its stream", orga.clone(), PLAY),
        ("organisation: its other stream", stream(&orga, "ABCDE-other"), PLAY),
        ("organisation: a stream that nobody registered", stream(&orga, "ABCDE-never"), PLAY),
        ("organisation: another's stream", stream(&orga, OTHER), INVALID),
        ("organisation: a longer name", stream(&orga, "ABCDEF-demo"), INVALID),
        ("organisation: a shorter name", stream(&orga, "ABCD-demo"), INVALID),
        ("organisation: lower case", stream(&orga, "abcde-demo"), INVALID),
        ("organisation: made a stream's", options(&orga, "0"), INVALID),
        ("organisation: signed with a stream's secret", forged, INVALID),
    ];
    for (name, ticket, expected) in rows {
        attempts.push(ticket.attempt(name, "", expected));
    }
    doors.try_all(&attempts);
}

#[test]
fn nothing_of_a_token_can_be_changed() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.as_secs();
    let until = |at: u64| {
        Ticket::new(&Claims {
            expires: Some(UnixSeconds(at)),
            ..claims()
        })
    };
    let tagged = |tag: &str| {
        Ticket::new(&Claims {
            tag: Some(Tag::parse(tag).unwrap()),
            ..claims()
        })
    };
    let plain = Ticket::new(&claims());
    let bound = |ip: Option<&str>, page: Option<&str>| {
        Ticket::new(&Claims {
            ip: ip.map(|ip| ip.parse().unwrap()),
            referer: page.map(|page| h5live::token::Host::bare(page).unwrap()),
            ..claims()
        })
    };
    let expired = until(now - 1);
    let valid = until(now + 3600);
    let accented = tagged("café");
    let expires = |ticket: &Ticket, text: &str| ticket.with(|ticket| ticket.expires = text.into());
    let tag = |ticket: &Ticket, text: &str| ticket.with(|ticket| ticket.tag = text.into());
    let options = |ticket: &Ticket, bits: &str| ticket.with(|ticket| ticket.options = bits.into());
    let token = |text: String| plain.with(|ticket| ticket.token = text);
    let own = plain.token.as_str();
    let altered = |at: usize| {
        let to = if own.as_bytes()[at] == b'A' { "B" } else { "A" };
        token([&own[..at], to, &own[at + 1..]].concat())
    };
    #[rustfmt::skip]
    let rows = [
        ("valid", valid.clone(), PLAY),
        ("expired a second ago", expired.clone(), EXPIRED),
        ("expired in 1970", until(0), EXPIRED),
        ("expired, said to be valid", expires(&expired, &valid.expires), INVALID),
        ("expired, the parameter left out", expires(&expired, ""), EXPIRED),
        ("expired, the bit taken off", options(&expired, "0"), INVALID),
        ("expired, bit and parameter taken off", options(&expires(&expired, ""), "0"), INVALID),
        ("expired, in milliseconds", expires(&expired, &format!("{}000", now - 1)), INVALID),
        ("expired, with a zero behind", expires(&expired, &format!("{}0", now - 1)), INVALID),
        ("valid, with a zero before", expires(&valid, &format!("0{}", valid.expires)), INVALID),
        ("valid, with a plus before", expires(&valid, &format!("+{}", valid.expires)), INVALID),
        ("valid, with a space behind", expires(&valid, &format!("{} ", valid.expires)), INVALID),
        ("valid, as a fraction", expires(&valid, &format!("{}.0", valid.expires)), INVALID),
        ("valid, as an exponent", expires(&valid, "1e10"), INVALID),
        ("valid, below zero", expires(&valid, "-1"), INVALID),
        ("valid, past 64 bits", expires(&valid, "18446744073709551616"), INVALID),
        ("an expiry that no bit stands for", expires(&plain, &valid.expires), INVALID),
        ("a bit that no expiry stands for", options(&plain, "1"), EXPIRED),

        ("its tag", tagged("a tag"), PLAY),
        ("another tag", tag(&tagged("a tag"), "a bag"), INVALID),
        ("its tag, upper case", tag(&tagged("a tag"), "A TAG"), INVALID),
        ("its tag with a space behind", tag(&tagged("a tag"), "a tag "), INVALID),
        ("its tag with a NUL behind", tag(&tagged("a tag"), "a tag\0"), INVALID),
        ("no tag", tag(&tagged("a tag"), ""), EXPIRED),
        ("its tag, the bit taken off", options(&tagged("a tag"), "0"), INVALID),
        ("no tag, the bit taken off", options(&tag(&tagged("a tag"), ""), "0"), INVALID),
        ("a tag of two letters that look as one", tag(&accented, "cafe\u{301}"), INVALID),
        ("a tag of 256 bytes", tag(&tagged("a tag"), &"x".repeat(256)), INVALID),

        ("the address's bit taken off", options(&bound(Some("192.0.2.7"), None), "0"), INVALID),
        ("the page's bit taken off", options(&bound(None, Some("a.test")), "0"), INVALID),
        ("the address's bit for the page's", options(&bound(Some("192.0.2.7"), None), "4"), INVALID),
        ("the page as a tag", tag(&options(&bound(None, Some("a.test")), "8"), "a.test"), INVALID),
        ("both, one taken off", options(&bound(Some("127.0.0.1"), Some("a.test")), "2"), INVALID),
        ("the address's bit put on", options(&plain, "2"), INVALID),
        ("an unknown bit put on", options(&plain, "32"), INVALID),
        ("the highest bit put on", options(&plain, "128"), INVALID),
        ("options of 256, which is 0 in a byte", options(&plain, "256"), INVALID),
        ("options of 2^64, which is 0 in 64 bits", options(&plain, "18446744073709551616"), INVALID),
        ("options with a zero before", options(&plain, "00"), INVALID),
        ("options with a sign", options(&plain, "-0"), INVALID),
        ("options in hexadecimal", options(&plain, "0x0"), INVALID),
        ("no options", options(&plain, ""), EXPIRED),

        ("no token", token(String::new()), EXPIRED),
        ("another version", altered(0), INVALID),
        ("another key", altered(3), INVALID),
        ("the mac's first letter", altered(7), INVALID),
        ("the mac's last letter but one", altered(48), INVALID),
        ("cut", token(own[..49].into()), INVALID),
        ("a letter more", token(format!("{own}A")), INVALID),
        ("padded", token(format!("{own}==")), INVALID),
        ("a space behind", token(format!("{own} ")), INVALID),
        ("twice", token(format!("{own}{own}")), INVALID),
        ("upper case", token(own.to_uppercase()), INVALID),
        ("a JWT without a signature", token("eyJhbGciOiJub25lIn0.eyJzdHJlYW0iOiJBQkNERS1kZW1vIn0.".into()), INVALID),
    ];
    let attempts: Vec<Attempt> = rows
        .into_iter()
        .map(|(name, ticket, expected)| ticket.attempt(name, "", expected))
        .collect();
    Doors::start("").try_all(&attempts);
}

#[test]
fn a_viewer_cannot_choose_what_is_dialled() {
    let doors = Doors::start("");
    // Where a viewer would have us connect to. Nobody may.
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let trap_port = trap.local_addr().unwrap().port();
    let ours = doors.origin.url("live");
    let port = doors.origin.port();
    let plain = Ticket::new(&claims());
    let url = |url: String| plain.with(|ticket| ticket.url = url);
    let stream = |stream: String| plain.with(|ticket| ticket.stream = stream);
    let forged = Ticket::new(&claims()).with(|ticket| ticket.options = "16".into());
    #[rustfmt::skip]
    let rows = [
        ("ours", url(ours.clone()), PLAY),
        ("the only one", plain.clone(), PLAY),
        ("ours in another spelling", url(format!("RTMP://127.0.0.1:{port}/live/")), PLAY),
        ("an address of the viewer's", url(format!("rtmp://127.0.0.1:{trap_port}/live")), BAD),
        ("ours as a user", url(format!("rtmp://127.0.0.1:{port}@127.0.0.1:{trap_port}/live")), BAD),
        ("ours as a path", url(format!("rtmp://127.0.0.1:{trap_port}/127.0.0.1:{port}/live")), BAD),
        ("ours with a proxy", url(format!("{ours} socks=127.0.0.1:{trap_port}")), BAD),
        ("ours with a proxy, behind a tab", url(format!("{ours}\tsocks=127.0.0.1:{trap_port}")), BAD),
        ("ours with a proxy, escaped", url(format!("{ours}\\20socks=127.0.0.1:{trap_port}")), BAD),
        ("ours with another address", url(format!("{ours} tcUrl=rtmp://127.0.0.1:{trap_port}/live")), BAD),
        ("ours with a query", url(format!("{ours}?x")), BAD),
        ("ours with a fragment", url(format!("{ours}#x")), BAD),
        ("ours with its stream", url(format!("{ours}/{DEMO}")), BAD),
        ("another application", url(ours.replace("/live", "/other")), BAD),
        ("ours by a parent", url(format!("rtmp://127.0.0.1:{port}/other/../../x")), BAD),
        ("another scheme", url(ours.replace("rtmp:", "rtmps:")), BAD),
        ("HTTP", url(format!("http://127.0.0.1:{trap_port}/live")), BAD),
        ("a file", url("file:///etc/passwd".into()), BAD),
        ("no URL", url("live".into()), BAD),
        ("unknown, without a valid token", forged.with(|ticket| ticket.url = format!("rtmp://127.0.0.1:{trap_port}/live")), INVALID),
        ("a proxy in the stream", stream(format!("{DEMO} socks=127.0.0.1:{trap_port}")), BAD),
        ("another stream in the stream", stream(format!("{DEMO} playpath=ABCDE-other")), BAD),
        ("a proxy in the stream's parameters", stream(format!("{DEMO}?a socks=127.0.0.1:{trap_port}")), PLAY),
        ("a path in the stream", stream(format!("../{DEMO}")), BAD),
        ("only checked", plain.with(|ticket| ticket.more = "&flags=checkandclose".into()), "101 close 4200"),
        ("only checked, and expired", plain.with(|ticket| {
            ticket.options = "1".into();
            ticket.more = "&flags=checkandclose".into();
        }), EXPIRED),
    ];
    let attempts: Vec<Attempt> = rows
        .into_iter()
        .map(|(name, ticket, expected)| ticket.attempt(name, "", expected))
        .collect();
    doors.try_all(&attempts);
    let dialled = trap.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(dialled, Err(ErrorKind::WouldBlock), "somebody was dialled");
}
