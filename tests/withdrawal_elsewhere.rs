//! What is withdrawn at one server ends sessions at another with the same records: how soon, and also
//! where the other did not hear of it.
//!
//! Not covered: what each withdrawal is about (`withdrawal.rs`), the records themselves (`postgres.rs`).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::postgres::Database;
use support::server::{Options, Security, Server};
use support::viewer::{Received, Viewer};

/// The promise is one second; a busy machine gets more here.
const PROMPTLY: Duration = Duration::from_secs(5);

const ORIGIN: &str = "rtmp://127.0.0.1:9/live";
const LOST: &str = "ABCDE-lost";
const KEPT: &str = "ABCDE-kept";

fn options(database: &Database) -> Options {
    Options {
        origins: vec![("nobody".to_owned(), ORIGIN.to_owned())],
        records: Some(database.url()),
        ..Options::default()
    }
}

fn watch(server: &Server, stream: &str, token: &Security) -> Viewer {
    let mut viewer = Viewer::connect(&server.websocket_url(ORIGIN, stream, token));
    assert!(viewer.next().is("onServerInfo"), "{stream}");
    viewer
}

/// How long after `since` a viewer is told that its session is over.
fn told(viewer: &mut Viewer, since: Instant) -> Duration {
    let closed = viewer.next_before(since + PROMPTLY);
    assert!(matches!(closed, Some(Received::Closed(4901))), "{closed:?}");
    since.elapsed()
}

#[test]
fn a_revocation_here_ends_a_session_there_in_time() {
    let database = Database::new();
    let (here, there) = (
        Server::start(&options(&database)),
        Server::start(&options(&database)),
    );
    let mut times: Vec<Duration> = (0..20)
        .map(|round| {
            here.register(LOST, &format!("the secret of round {round}"));
            let token = there.mint(&json!({"streamname": LOST}));
            let mut viewer = watch(&there, LOST, &token);
            let asked = Instant::now();
            let (status, answer) = here.post("/secure/revoke", &json!({"streamname": LOST}));
            assert_eq!(status, 200, "{answer}");
            told(&mut viewer, asked)
        })
        .collect();
    times.sort();
    let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
    println!("from the request there to the close here: median {median:?}, longest {longest:?}");
}

#[test]
fn sessions_are_revoked_there_whatever_selects_them() {
    let database = Database::new();
    let (here, there) = (
        Server::start(&options(&database)),
        Server::start(&options(&database)),
    );
    here.register(LOST, "the secret of all of these");
    let untouched = there.mint(&json!({"streamname": LOST, "tag": "another"}));
    let mut untouched = watch(&there, LOST, &untouched);
    let token = there.mint(&json!({"streamname": LOST, "tag": "a \"tag\""}));
    for wish in [
        json!({"tag": "a \"tag\""}),
        json!({"tag": "a \"tag\"", "ip": "127.0.0.1", "streamname": LOST}),
    ] {
        let mut viewer = watch(&there, LOST, &token);
        let asked = Instant::now();
        let answer = here.post("/secure/revoke", &wish);
        assert_eq!(
            answer,
            (200, json!({"sessions": 0, "secrets": 0})),
            "{wish}"
        );
        told(&mut viewer, asked);
    }
    assert!(untouched.next_before(Instant::now()).is_none());
}

#[test]
fn what_was_missed_while_the_database_was_lost_is_made_up_for() {
    let database = Database::new();
    let mut there = Server::start(&options(&database));
    let organisation = json!({"orga": "ABCDE", "secret": "the organisation's own secret"});
    assert_eq!(there.post("/secure/orga", &organisation).0, 200);
    for stream in [LOST, KEPT, "ABCDE-rotated"] {
        there.register(stream, &format!("the secret of {stream}"));
    }
    let mint = |wish| there.mint(&wish);
    let tokens = [
        (LOST, mint(json!({"streamname": LOST}))),
        (
            "ABCDE-rotated",
            mint(json!({"streamname": "ABCDE-rotated"})),
        ),
        (KEPT, mint(json!({"streamname": KEPT}))),
        (LOST, mint(json!({"orga": "ABCDE"}))),
    ];
    let [mut lost, mut rotated, mut kept, mut whole] = tokens
        .each_ref()
        .map(|(stream, token)| watch(&there, stream, token));

    // It hears nothing while its connections break, and what happens then is told to nobody.
    there.freeze();
    let ended = database.ask(
        "SELECT count(pg_terminate_backend(pid, 10000)) > 0 FROM pg_stat_activity
         WHERE application_name = 'h5live-server' AND datname = current_database()",
    );
    assert_eq!(ended, "t");
    let here = Server::start(&options(&database));
    let (status, answer) = here.post("/secure/revoke", &json!({"streamname": LOST}));
    assert_eq!((status, &answer["secrets"]), (200, &json!(1)), "{answer}");
    here.register("ABCDE-rotated", "another secret of what is rotated");
    there.thaw();

    let thawed = Instant::now();
    let took = told(&mut lost, thawed).max(told(&mut rotated, thawed));
    println!("from the database's return to the close: {took:?}");
    // Those whose secret holds play on, and are still ended by what is heard from now on.
    for viewer in [&mut kept, &mut whole] {
        assert!(viewer.next_before(Instant::now()).is_none());
    }
    let (status, _) = here.post("/secure/revoke", &json!({"streamname": KEPT}));
    assert_eq!(status, 200);
    told(&mut kept, Instant::now());
    assert!(whole.next_before(Instant::now()).is_none());
}
