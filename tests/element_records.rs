//! `h5liveauthsink` with the records of a real `h5live-server`: whom their secrets let in, how withdrawals
//! reach who plays, and what is said where they can't be opened.
//!
//! Not covered: what each withdrawal is about (`withdrawal.rs`), the records themselves (`records.rs`).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bench::{Bench, FRAME, picture};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_check::Harness;
use h5live::records::MasterKey;
use serde_json::json;
use support::postgres::{Database, PASSWORD, Postgres};
use support::server::{Options, Security, Server};
use support::viewer::{Received, Viewer};
use url::form_urlencoded::Serializer;

const STREAM: &str = "ABCDE-demo";
const OTHER: &str = "ABCDE-other";

/// The promise is one second; a busy machine gets more here.
const PROMPTLY: Duration = Duration::from_secs(10);

/// An element whose viewers the records judge.
fn element(stream: &str, port: u16, records: &str) -> Bench {
    let bench = Bench::of(stream, port);
    bench.element.set_property("secret", None::<&str>);
    bench.element.set_property("records", records);
    bench
}

fn file_of(server: &Server) -> String {
    let path = server.directory().join("records.sqlite");
    path.to_str().unwrap().to_owned()
}

fn connect(port: u16, stream: &str, token: &Security) -> Viewer {
    let mut query = Serializer::new(String::new());
    query.append_pair("stream", stream);
    query.extend_pairs(token.pairs());
    let query = query.finish();
    Viewer::connect(&format!("ws://127.0.0.1:{port}/h5live/authstream?{query}"))
}

fn watch(port: u16, stream: &str, token: &Security) -> Viewer {
    let mut viewer = connect(port, stream, token);
    let first = viewer.next();
    assert!(first.is("onServerInfo"), "{stream}: {first:?}");
    viewer
}

fn refused(port: u16, stream: &str, token: &Security) {
    let first = connect(port, stream, token).next();
    assert!(matches!(first, Received::Closed(4901)), "{first:?}");
}

/// How long after `since` a viewer is told that its session is over.
fn told(viewer: &mut Viewer, since: Instant) -> Duration {
    loop {
        match viewer.next_before(since + PROMPTLY) {
            Some(Received::Closed(4901)) => return since.elapsed(),
            Some(Received::Closed(code)) => panic!("closed with {code}"),
            Some(_) => {}
            None => panic!("it plays on"),
        }
    }
}

/// Publishes a second of pictures, and waits until the viewer has some of them.
fn plays(pad: &mut Harness, from: u64, viewer: &mut Viewer) {
    for n in 0..30 {
        pad.push(picture(from + n * FRAME, n == 0)).unwrap();
    }
    viewer.until(|received| matches!(received, Received::Binary(_)));
}

fn second_secret(server: &Server, stream: &str) {
    server.register(stream, &format!("the second secret of {stream}"));
}

/// The same with either store: it is the server's API that decides who plays at the element.
fn the_api_decides(server: &Server, records: &str) {
    for stream in [STREAM, OTHER] {
        server.register(stream, &format!("the first secret of {stream}"));
    }
    let foreign = server.add_account("FGHIJ");
    let of_stream = server.mint(&json!({"streamname": STREAM}));
    let of_orga = server.mint(&json!({"orga": "ABCDE"}));
    let element = element(STREAM, 0, records);
    let mut pad = element.video();
    let port = element.port();

    refused(port, STREAM, &server.mint(&json!({"streamname": OTHER})));
    let foreign = server.mint_with_key(&foreign, &json!({"orga": "FGHIJ"}));
    refused(port, STREAM, &foreign);
    // It serves one stream, whatever else the token opens.
    refused(port, OTHER, &of_orga);

    let mut viewer = watch(port, STREAM, &of_stream);
    let mut whole = watch(port, STREAM, &of_orga);
    plays(&mut pad, 0, &mut viewer);
    plays(&mut pad, 1000, &mut whole);
    let asked = Instant::now();
    second_secret(server, STREAM);
    println!("replaced → ended: {:?}", told(&mut viewer, asked));
    refused(port, STREAM, &of_stream);

    let of_stream = server.mint(&json!({"streamname": STREAM}));
    let mut viewer = watch(port, STREAM, &of_stream);
    plays(&mut pad, 2000, &mut whole);
    let asked = Instant::now();
    let orga = json!({"orga": "ABCDE", "secret": "another secret of the organisation"});
    assert_eq!(server.post("/secure/orga", &orga).0, 200);
    println!("replaced → ended: {:?}", told(&mut whole, asked));
    refused(port, STREAM, &of_orga);

    plays(&mut pad, 3000, &mut viewer);
    let asked = Instant::now();
    let (status, answer) = server.post("/secure/revoke", &json!({"streamname": STREAM}));
    assert_eq!(status, 200, "{answer}");
    println!("revoked → ended: {:?}", told(&mut viewer, asked));
    refused(port, STREAM, &of_stream);
    assert!(element.silent(gst::MessageType::Error));
}

#[test]
fn the_api_of_a_server_with_the_same_file_decides() {
    let server = Server::start(&Options::default());
    the_api_decides(&server, &file_of(&server));
}

#[test]
fn the_api_of_a_server_with_the_same_database_decides() {
    let database = Database::new();
    let server = Server::start(&Options {
        records: Some(database.url()),
        ..Options::default()
    });
    // Whoever only reads needs no more than the right to.
    database.ask(&format!(
        "CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"
    ));
    let url = database.url().replace("://h5live:", "://reader:");
    assert!(url.contains("reader"));
    the_api_decides(&server, &url);
}

#[test]
fn sessions_are_revoked_by_tag_where_the_database_tells() {
    let database = Database::new();
    let server = Server::start(&Options {
        records: Some(database.url()),
        ..Options::default()
    });
    server.register(STREAM, "a secret of sixteen bytes");
    let element = element(STREAM, 0, &database.url());
    let mut pad = element.video();
    let token = server.mint(&json!({"streamname": STREAM, "tag": "this one"}));
    let mut viewer = watch(element.port(), STREAM, &token);
    let token = server.mint(&json!({"streamname": STREAM, "tag": "another"}));
    let mut other = watch(element.port(), STREAM, &token);
    let asked = Instant::now();
    let answer = server.post("/secure/revoke", &json!({"tag": "this one"}));
    assert_eq!(answer.0, 200);
    told(&mut viewer, asked);
    plays(&mut pad, 0, &mut other);
}

#[test]
fn without_the_database_who_plays_plays_on_and_is_found_afterwards() {
    let mut postgres = Postgres::start();
    let name = postgres.create_database();
    let url = postgres.url(&name);
    let server = Server::start(&Options {
        records: Some(url.clone()),
        ..Options::default()
    });
    for stream in [STREAM, OTHER] {
        server.register(stream, "a secret of sixteen bytes");
    }
    let [lost, kept] = [STREAM, OTHER].map(|stream| element(stream, 0, &url));
    let [mut lost_pad, mut kept_pad] = [lost.video(), kept.video()];
    let [mut lost, mut kept] = [(&lost, STREAM), (&kept, OTHER)].map(|(element, stream)| {
        let token = server.mint(&json!({"streamname": stream}));
        watch(element.port(), stream, &token)
    });
    postgres.stop();
    let until = Instant::now() + Duration::from_secs(3);
    let mut at = 0;
    while Instant::now() < until {
        plays(&mut lost_pad, at, &mut lost);
        plays(&mut kept_pad, at, &mut kept);
        at += 1000;
    }
    postgres.restart();
    // Nobody is told of what happens to the tables by hand.
    postgres.ask(
        &name,
        &format!("DELETE FROM signing_keys WHERE scope = '{STREAM}'"),
    );
    told(&mut lost, Instant::now());
    plays(&mut kept_pad, at, &mut kept);
}

#[test]
fn each_element_of_an_address_has_its_own_records() {
    let [here, there] = [(), ()].map(|()| Server::start(&Options::default()));
    for server in [&here, &there] {
        for stream in ["ABCDE-one", "ABCDE-two"] {
            let text = format!("the secret of {stream} at {}", server.port());
            server.register(stream, &text);
        }
    }
    let one = element("ABCDE-one", 0, &file_of(&here));
    let _one_pad = one.video();
    let port = one.port();
    let two = element("ABCDE-two", port, &file_of(&there));
    let mut two_pad = two.video();
    let of_here = here.mint(&json!({"orga": "ABCDE"}));
    let of_there = there.mint(&json!({"orga": "ABCDE"}));
    refused(port, "ABCDE-one", &of_there);
    refused(port, "ABCDE-two", &of_here);
    for stream in ["ABCDE-one", "ABCDE-two"] {
        let token = if stream.ends_with("one") {
            &there
        } else {
            &here
        };
        refused(port, stream, &token.mint(&json!({"streamname": stream})));
    }
    let mut at_one = watch(port, "ABCDE-one", &of_here);
    let mut at_two = watch(port, "ABCDE-two", &of_there);
    let asked = Instant::now();
    let orga = json!({"orga": "ABCDE", "secret": "another secret of the organisation"});
    assert_eq!(here.post("/secure/orga", &orga).0, 200);
    told(&mut at_one, asked);
    plays(&mut two_pad, 0, &mut at_two);
}

#[test]
fn a_viewer_waits_for_its_stream_and_not_for_one_with_other_records() {
    let [here, there] = [(), ()].map(|()| Server::start(&Options::default()));
    for server in [&here, &there] {
        server.register(STREAM, &format!("the secret at {}", server.port()));
    }
    // Keeps the listener open.
    let keeper = element(OTHER, 0, &file_of(&here));
    let _keeper = keeper.video();
    let port = keeper.port();
    let first = element(STREAM, port, &file_of(&here));
    let mut pad = first.video();
    let token = here.mint(&json!({"streamname": STREAM}));
    let mut viewer = watch(port, STREAM, &token);
    plays(&mut pad, 0, &mut viewer);
    assert!(first.set_state(gst::State::Null));
    refused(port, STREAM, &token);
    viewer.until(|received| received.is("onStreamStatus"));

    let same = element(STREAM, port, &file_of(&here));
    let mut pad = same.video();
    plays(&mut pad, 0, &mut viewer);
    assert!(same.set_state(gst::State::Null));

    let other = element(STREAM, port, &file_of(&there));
    let _pad = other.video();
    told(&mut viewer, Instant::now());
    refused(port, STREAM, &token);
    let token = there.mint(&json!({"streamname": STREAM}));
    watch(port, STREAM, &token);
}

/// What the error on the bus says, all of it.
fn error(bench: &Bench) -> String {
    assert!(!bench.set_state(gst::State::Playing));
    let message = bench.bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    assert!(bench.set_state(gst::State::Null));
    match message.view() {
        gst::MessageView::Error(error) => format!("{} {:?}", error.error(), error.debug()),
        _ => unreachable!(),
    }
}

fn write(path: &Path, text: &str) -> String {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn records_that_can_not_be_opened_are_errors_that_say_what_to_do() {
    let database = Database::new();
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("mistyped.sqlite");
    let wrong = database.url().replace(PASSWORD, "not-the-password");
    let empty = write(&directory.path().join("empty.sqlite"), "");
    let public = write(&directory.path().join("public.sqlite"), "");
    fs::set_permissions(&public, fs::Permissions::from_mode(0o644)).unwrap();
    let nobody = format!("postgres://u:{PASSWORD}@127.0.0.1:9/db");
    let rows = [
        (missing.to_str().unwrap(), "name the one"),
        (&empty, "set records to the file that h5live-server has"),
        (&public, "chmod 600"),
        (&wrong, "password authentication failed"),
        (&wrong, "set records and records-password-file"),
        (&nobody, "look whether the database runs"),
        ("mysql://u:not-the-password@h/db", "Write a path, sqlite://"),
        ("postgres://u:not-the-password@h", "names no database"),
    ];
    for (records, said) in rows {
        let error = error(&element(STREAM, 0, records));
        assert!(error.contains(said), "{said} in {error}");
        for hidden in [PASSWORD, "not-the-password"] {
            assert!(!error.contains(hidden), "{error}");
        }
    }
    assert!(!missing.exists(), "nothing is made");

    // The tables are the server's to make, and then the password may be in a file.
    let url = database.postgres.url_without_password(&database.name);
    let password = write(&directory.path().join("password"), PASSWORD);
    let element = element(STREAM, 0, &url);
    element
        .element
        .set_property("records-password-file", &password);
    let said = error(&element);
    assert!(
        said.contains("signing_keys") || said.contains("sealing"),
        "{said}"
    );
    let _server = Server::start(&Options {
        records: Some(database.url()),
        ..Options::default()
    });
    assert!(element.set_state(gst::State::Playing));
}

#[test]
fn sealed_records_open_with_their_master_key_only() {
    let master_key = |byte| MasterKey::of_random([byte; 32]).reveal();
    let mut server = Server::start(&Options::default());
    server.register(STREAM, "a secret of sixteen bytes");
    let file = |byte| {
        let path = server.directory().join(format!("master{byte}"));
        write(&path, &master_key(byte))
    };
    let (right, wrong) = (file(1), file(2));
    let element = element(STREAM, 0, &file_of(&server));
    let set = |path: Option<&str>| element.element.set_property("master-key-file", path);
    set(Some(&right));
    let said = error(&element);
    assert!(said.contains("are not sealed"), "{said}");

    server.set_environment("H5LIVE_MASTER_KEY", &master_key(1));
    server.restart();
    for (path, expected) in [
        (None, "are sealed; give their master key by master-key-file"),
        (Some(&*wrong), "sealed with another master key"),
        (Some("/nowhere/master"), "cannot be read"),
    ] {
        set(path);
        let said = error(&element);
        assert!(said.contains(expected), "{expected} in {said}");
        assert!(!said.contains(&master_key(2)), "{said}");
    }
    set(Some(&right));
    // Also where the application has a runtime of its own, and is on a thread of it.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        assert!(element.set_state(gst::State::Playing));
        assert!(element.set_state(gst::State::Null));
        assert!(element.set_state(gst::State::Playing));
    });
    let token = server.mint(&json!({"streamname": STREAM}));
    watch(element.port(), STREAM, &token);
}

#[test]
fn what_does_not_go_together_is_refused() {
    type Row = (&'static str, fn(&gst::Element));
    let rows: [Row; 4] = [
        ("more than one of secret, secret-file and records", |e| {
            e.set_property("secret", "a secret of sixteen bytes");
        }),
        ("more than one of secret, secret-file and records", |e| {
            e.set_property("secret-file", "a.secret");
        }),
        ("or records to", |e| e.set_property("records", None::<&str>)),
        ("records-password-file is for PostgreSQL", |e| {
            e.set_property("records-password-file", "a.password");
        }),
    ];
    for (said, set) in rows {
        let bench = element(STREAM, 0, "r.sqlite");
        set(&bench.element);
        let error = error(&bench);
        assert!(error.contains(said), "{said} in {error}");
    }
}

#[test]
fn records_are_written_and_never_read() {
    let bench = element(STREAM, 0, "postgres://u:not-to-be-seen@127.0.0.1:9/db");
    let pipeline = gst::Pipeline::new();
    pipeline.add(&bench.element).unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    pipeline.connect_deep_notify(Some("records"), move |_, object, property| {
        let value = object.property_value(property.name());
        told.send(format!("{value:?}")).unwrap();
    });
    bench
        .element
        .set_property("records", "postgres://u:not-to-be-seen@127.0.0.1:9/db");
    let notified = heard.recv_timeout(PROMPTLY).unwrap();
    assert_eq!(bench.element.property::<Option<String>>("records"), None);
    let dot = pipeline.debug_to_dot_data(gst::DebugGraphDetails::all());
    assert!(dot.contains("h5liveauthsink"), "{dot}");
    for text in [notified.as_str(), dot.as_str()] {
        assert!(!text.contains("not-to-be-seen"), "{text}");
    }
}
