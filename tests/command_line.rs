//! The built `h5live-server` as a person or a script runs it.
//!
//! `serve` is run only up to its configuration: the server has tests of its own.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use h5live::records::{ApiKeyHash, Records, Sqlite, StoreSettings};
use h5live::token::{
    Denial, Facts, Grant, Host, KeyLookup, Orga, Parameters, Presented, Query, Scope, Secret,
    StreamName, UnixSeconds,
};
use serde_json::Value;

const SECRET: &str = "a secret of the demo";

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_h5live-server"))
        .args(arguments)
        .output()
        .unwrap();
    let ran = Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(
        !ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET),
        "{arguments:?} shows the secret"
    );
    ran
}

impl Ran {
    fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    fn refused(self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        self.stderr
    }

    /// The value of the one line `name: value`.
    fn value(&self, name: &str) -> String {
        let mut values = self
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let value = values.next().expect(name).to_owned();
        assert_eq!(values.next(), None);
        value
    }
}

/// A fresh directory, with a secret file and a configuration in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("demo.secret", &format!("{SECRET}\n"));
        place.write("h5live.toml", "[server]\nrecords = \"r.sqlite\"\n");
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn mint(&self, arguments: &[&str]) -> Ran {
        let secret = self.text("demo.secret");
        run(&[&["mint", "--secret-file", &secret], arguments].concat())
    }

    async fn records(&self) -> Sqlite {
        let settings = StoreSettings {
            connections: 1,
            timeout: Duration::from_secs(30),
            ..StoreSettings::default()
        };
        Sqlite::open(&self.path("r.sqlite"), &settings)
            .await
            .unwrap()
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// What a door makes of the page's security parameters, for a viewer at 192.0.2.7 on www.example.com.
fn verify(page: &str, stream: &str, secret: &str) -> Result<Grant, Denial> {
    let (_, query) = page.split_once('?').unwrap();
    let query = query.replace("h5live.security.", "");
    let parameters = Parameters::from_query(&Query::parse(&query).unwrap()).unwrap();
    let presented = Presented::read(&parameters, &StreamName::parse(stream).unwrap())?;
    let facts = Facts {
        ip: "192.0.2.7".parse().unwrap(),
        referer: Some(Host::bare("www.example.com").unwrap()),
    };
    let key = KeyLookup::Found(Secret::new(secret).unwrap().key());
    presented.verify(key, &facts, UnixSeconds(now()), 0)
}

#[test]
fn mint_prints_a_token_that_verifies_and_a_page_that_carries_it() {
    let place = Place::new();
    let before = now();
    let ran = place
        .mint(&["--stream", "ABCDE-demo", "--expires", "1h"])
        .good();
    let after = now();
    assert_eq!(ran.stderr, "");
    let (token, page) = (ran.value("token"), ran.value("page"));
    let expires = verify(&page, "ABCDE-demo", SECRET)
        .unwrap()
        .expires()
        .unwrap();
    assert!((before + 3600..=after + 3600).contains(&expires.0));
    let expected = format!(
        "http://127.0.0.1:8181/?h5live.server.websocket=ws%3A%2F%2F127.0.0.1%3A8181%2Fh5live%2Fauthstream\
         &h5live.rtmp.streamname=ABCDE-demo&h5live.security.expires={expires}\
         &h5live.security.token={token}&h5live.security.options=1"
    );
    assert_eq!(page, expected);
    assert!(verify(&page, "ABCDE-other", SECRET).is_err());
    assert!(verify(&page, "ABCDE-demo", "some other secret").is_err());
}

#[test]
fn mint_binds_what_it_is_told_to() {
    let place = Place::new();
    let in_an_hour = (now() + 3600).to_string();
    let ran = place
        .mint(&[
            "--stream",
            "ABCDE-demo",
            "--expires",
            &in_an_hour,
            "--ip",
            "192.0.2.7",
            "--referer",
            "www.example.com",
            "--tag",
            "a b/ü&",
            "--page",
            "https://play.example.com/x/",
            "--rtmp-url",
            "rtmp://ingest.example.com/live",
        ])
        .good();
    let page = ran.value("page");
    let token = ran.value("token");
    let expected = format!(
        "https://play.example.com/x/?h5live.server.websocket=wss%3A%2F%2Fplay.example.com%2Fh5live%2Fauthstream\
         &h5live.rtmp.url=rtmp%3A%2F%2Fingest.example.com%2Flive&h5live.rtmp.streamname=ABCDE-demo\
         &h5live.security.expires={in_an_hour}&h5live.security.tag=a%20b%2F%C3%BC%26\
         &h5live.security.token={token}&h5live.security.options=15"
    );
    assert_eq!(page, expected);
    let grant = verify(&page, "ABCDE-demo", SECRET).unwrap();
    assert_eq!(grant.tag().unwrap().as_str(), "a b/ü&");
    for foreign in [["--ip", "192.0.2.8"], ["--referer", "example.com"]] {
        let ran = place
            .mint(&[&["--stream", "ABCDE-demo"][..], &foreign[..]].concat())
            .good();
        assert!(
            verify(&ran.value("page"), "ABCDE-demo", SECRET).is_err(),
            "{foreign:?}"
        );
    }
}

#[test]
fn mint_for_an_organisation_opens_each_of_its_streams() {
    let place = Place::new();
    let ran = place.mint(&["--orga", "ABCDE"]).good();
    let page = ran.value("page");
    for (stream, opens) in [
        ("ABCDE-one", true),
        ("ABCDE-two", true),
        ("OTHER-one", false),
    ] {
        assert_eq!(verify(&page, stream, SECRET).is_ok(), opens, "{stream}");
    }
    assert!(ran.stderr.contains("h5live.rtmp.streamname"));
}

#[test]
fn mint_answers_in_json_as_the_api_does() {
    let place = Place::new();
    let ran = place
        .mint(&["--stream", "ABCDE-demo", "--tag", "t", "--json"])
        .good();
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let security = &json["h5live"]["security"];
    assert_eq!(security["options"], 8);
    assert_eq!(
        (&security["expires"], &security["tag"]),
        (&"".into(), &"t".into())
    );
    let lines = place.mint(&["--stream", "ABCDE-demo", "--tag", "t"]).good();
    assert_eq!(security["token"], lines.value("token"));
}

#[test]
fn mint_reads_times_in_three_ways_and_refuses_others() {
    let place = Place::new();
    for when in ["90s", "7days", "365d"] {
        let ran = place
            .mint(&["--stream", "ABCDE-demo", "--expires", when])
            .good();
        verify(&ran.value("page"), "ABCDE-demo", SECRET).expect(when);
    }
    let in_an_hour = SystemTime::now() + Duration::from_secs(3600);
    let time = humantime::format_rfc3339_seconds(in_an_hour).to_string();
    let ran = place
        .mint(&["--stream", "ABCDE-demo", "--expires", &time])
        .good();
    verify(&ran.value("page"), "ABCDE-demo", SECRET).unwrap();

    let milliseconds = format!("{}000", now() + 3600);
    for (when, expected) in [
        (milliseconds.as_str(), "SECONDS"),
        ("1591747200", "in the past"),
        ("2020-06-10T00:00:00Z", "in the past"),
        ("0s", "in the past"),
        ("366d", "more than 365 days"),
        ("soon", "is no time"),
        ("-1", "is no time"),
    ] {
        let argument = format!("--expires={when}");
        let refused = place.mint(&["--stream", "ABCDE-demo", &argument]).refused();
        assert!(refused.contains(expected), "{when}: {refused}");
    }
}

#[test]
fn mint_refuses_and_warns_about_secret_files() {
    let place = Place::new();
    std::fs::set_permissions(place.path("demo.secret"), PermissionsExt::from_mode(0o644)).unwrap();
    let ran = place.mint(&["--stream", "ABCDE-demo"]).good();
    assert!(
        ran.stderr.starts_with("warning: ") && ran.stderr.contains("chmod 600"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout.lines().count(), 2);
    for text in ["", "\n", "too short\n", &"x".repeat(257), &"x".repeat(5000)] {
        place.write("demo.secret", text);
        let refused = place.mint(&["--stream", "ABCDE-demo"]).refused();
        assert!(refused.contains("16 to 256 bytes"), "{refused}");
    }
    std::fs::remove_file(place.path("demo.secret")).unwrap();
    let refused = place.mint(&["--stream", "ABCDE-demo"]).refused();
    assert!(refused.contains("demo.secret: cannot be read"), "{refused}");
}

#[test]
fn mint_takes_one_line_end_off_a_secret_and_no_more() {
    let place = Place::new();
    for (written, secret) in [
        ("a secret of the demo", SECRET),
        ("a secret of the demo\r\n", SECRET),
        ("a secret of the demo\n\n", "a secret of the demo\n"),
        (" a secret of the demo ", " a secret of the demo "),
    ] {
        place.write("demo.secret", written);
        let ran = place.mint(&["--stream", "ABCDE-demo"]).good();
        verify(&ran.value("page"), "ABCDE-demo", secret).expect(written);
    }
}

#[test]
fn command_lines_that_make_no_sense_have_code_2_and_say_why() {
    let place = Place::new();
    let rows: &[(&[&str], &str)] = &[
        (&[], "--stream"),
        (
            &["--stream", "ABCDE-demo", "--orga", "ABCDE"],
            "cannot be used with",
        ),
        (&["--stream", "ABCDE"], "a stream name"),
        (&["--stream", "ABCDE-x socks=127.0.0.1:9"], "a stream name"),
        (&["--orga", "ABCDE-demo"], "an organisation hash"),
        (&["--stream", "ABCDE-demo", "--ip", "localhost"], "--ip"),
        (
            &["--stream", "ABCDE-demo", "--referer", "https://a.example"],
            "leave out the protocol",
        ),
        (
            &["--stream", "ABCDE-demo", "--tag", ""],
            "a tag has 1 to 255 bytes",
        ),
        (
            &["--stream", "ABCDE-demo", "--page", "ftp://a.example"],
            "http:// or https://",
        ),
        (
            &["--stream", "ABCDE-demo", "--page", "http://a.example/?b"],
            "leave out '?'",
        ),
    ];
    for (arguments, expected) in rows {
        let ran = place.mint(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(
            ran.stderr.contains(expected),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}

#[tokio::test]
async fn account_add_prints_a_key_that_the_records_know() {
    let place = Place::new();
    let config = place.text("h5live.toml");
    let secret_file = place.text("orga.secret");
    let add = ["account", "add", "--config", &config, "--orga", "ABCDE"];
    let ran = run(&[&add[..], &["--orga-secret-file", &secret_file]].concat()).good();
    assert_eq!(ran.value("orga"), "ABCDE");
    let api_key = ran.value("api-key");
    assert!(api_key.starts_with("h5l_") && !ran.stderr.contains(&api_key));

    let records = place.records().await;
    let orga = Orga::parse("ABCDE").unwrap();
    let found = records.orga_of(&ApiKeyHash::of(api_key.as_bytes())).await;
    assert_eq!(found, Ok(Some(orga.clone())));

    // The organisation's secret mints offline what the records verify.
    let mode = std::fs::metadata(&secret_file)
        .unwrap()
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    let written = std::fs::read_to_string(&secret_file).unwrap();
    let key = records
        .current_key(&Scope::Orga(orga.clone()))
        .await
        .unwrap()
        .unwrap();
    assert!(key.same_secret(&Secret::new(written.trim_end()).unwrap().key()));
    let minted = run(&["mint", "--orga", "ABCDE", "--secret-file", &secret_file]).good();
    verify(&minted.value("page"), "ABCDE-any", written.trim_end()).unwrap();

    // Once more: another key, the same secret, and no file that would mislead.
    let other_file = place.text("other.secret");
    let again = run(&[&add[..], &["--orga-secret-file", &other_file]].concat()).good();
    assert_ne!(again.value("api-key"), api_key);
    assert!(
        again.stderr.contains("one more API key"),
        "{}",
        again.stderr
    );
    assert!(!Path::new(&other_file).exists());
    for api_key in [api_key, again.value("api-key")] {
        let found = records.orga_of(&ApiKeyHash::of(api_key.as_bytes())).await;
        assert_eq!(found, Ok(Some(orga.clone())));
    }
    let after = records
        .current_key(&Scope::Orga(orga))
        .await
        .unwrap()
        .unwrap();
    assert!(after.same_secret(&key));
}

#[test]
fn account_add_never_overwrites_a_file_and_says_what_is_wrong() {
    let place = Place::new();
    let config = place.text("h5live.toml");
    let secret = place.text("demo.secret");
    let add = ["account", "add", "--config", &config, "--orga", "ABCDE"];
    let refused = run(&[&add[..], &["--orga-secret-file", &secret]].concat()).refused();
    assert!(refused.contains("does not exist yet"), "{refused}");
    assert_eq!(
        std::fs::read_to_string(&secret).unwrap(),
        format!("{SECRET}\n")
    );
    assert!(!place.path("r.sqlite").exists());

    place.write("r.sqlite", "");
    std::fs::set_permissions(place.path("r.sqlite"), PermissionsExt::from_mode(0o644)).unwrap();
    let fresh = place.text("fresh.secret");
    let refused = run(&[&add[..], &["--orga-secret-file", &fresh]].concat()).refused();
    assert!(refused.contains("chmod 600"), "{refused}");
    assert!(!Path::new(&fresh).exists());
}

#[test]
fn a_configuration_is_checked_by_every_command_that_reads_it() {
    let place = Place::new();
    let config = place.text("h5live.toml");
    let ran = run(&["check-config", &config]).good();
    assert!(
        ran.stdout.ends_with("the configuration is fine\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("[[origins]]"), "{}", ran.stderr);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/h5live.toml");
    assert_eq!(run(&["check-config", example]).good().stderr, "");

    place.write("h5live.toml", "[server]\nlistn = \"127.0.0.1:0\"\n");
    let add = ["account", "add", "--config", &config, "--orga", "ABCDE"];
    for arguments in [
        &["check-config", &config][..],
        &["serve", "--config", &config],
        &add,
    ] {
        let refused = run(arguments).refused();
        assert!(
            refused.contains("h5live.toml: server.listn: unknown key. Known here: listen"),
            "{refused}"
        );
    }
    // A secret file by mistake: it is refused, and nothing of it is shown.
    let secret = place.text("demo.secret");
    assert!(
        run(&["check-config", &secret])
            .refused()
            .contains("this is not TOML")
    );
    assert!(
        run(&["serve", "--config", "/no/such/file"])
            .refused()
            .contains("cannot be read")
    );
}

#[test]
fn help_teaches_by_examples() {
    let rows: &[(&[&str], &str)] = &[
        (
            &["--help"],
            "h5live-server account add --config h5live.toml --orga ABCDE",
        ),
        (
            &["serve", "--help"],
            "h5live-server serve --config h5live.toml",
        ),
        (
            &["account", "add", "--help"],
            "h5live-server account add --config h5live.toml --orga ABCDE",
        ),
        (
            &["mint", "--help"],
            "h5live-server mint --stream ABCDE-demo --secret-file demo.secret --expires 1h",
        ),
        (
            &["check-config", "--help"],
            "h5live-server check-config h5live.toml",
        ),
    ];
    for (arguments, example) in rows {
        let ran = run(arguments).good();
        assert!(
            ran.stdout.contains(example),
            "{arguments:?}:\n{}",
            ran.stdout
        );
        assert!(
            ran.stdout.lines().all(|line| line.chars().count() <= 120),
            "{arguments:?}"
        );
    }
}
