//! What is PostgreSQL's own: servers that share one database, and the database going away.
//!
//! What holds for every store is in `records.rs` and `records_sealing.rs`. Not covered: a connection
//! that is cut off without a word.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use h5live::records::{
    CacheSettings, Cached, Change, OpenError, PostgresUrl, Records, RecordsError, Registered,
    StoreSettings, look_up,
};
use h5live::token::KeyLookup;
use serde_json::json;
use support::origin::Origin;
use support::postgres::{Database, PASSWORD, Postgres};
use support::process::{PATIENCE, wait_until};
use support::publisher::{self, Publisher};
use support::server::{Options, Security, Server, program};
use support::store::{NOW, Store, key, stream};
use support::viewer::{Received, Viewer};

/// In this time a change has to reach the other servers. The promise is one second; a busy machine gets
/// more here.
const NEWS: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_changes_the_other_hears_in_time() {
    let store = Store::postgres();
    let (here, there) = (store.open().await, store.open().await);
    assert!(there.hears_others());
    let mut changes = there.changes();
    let scope = stream("AAA-one");
    let change = |revision| Change::Key {
        scope: stream("AAA-one"),
        revision,
    };
    for (secret, revision) in [("the first secret", 1), ("the second secret", 2)] {
        here.register(&scope, &key(secret), NOW).await.unwrap();
        let heard = tokio::time::timeout(NEWS, changes.recv()).await;
        assert_eq!(heard.unwrap(), Ok(change(Some(revision))));
    }
    // What changes nothing is no news.
    let again = here.register(&scope, &key("the second secret"), NOW).await;
    assert_eq!(again, Ok(Registered::Unchanged(2)));
    assert_eq!(here.revoke(&scope, NOW).await, Ok(true));
    let heard = tokio::time::timeout(NEWS, changes.recv()).await;
    assert_eq!(heard.unwrap(), Ok(change(None)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_elsewhere_voids_what_is_remembered_at_once() {
    let store = Store::postgres();
    let (here, there) = (store.open().await, store.open().await);
    let cached = Cached::new(there, remember(Duration::from_secs(3600)));
    let mut changes = cached.changes();
    let (scope, old, new) = (
        stream("AAA-one"),
        key("the first secret"),
        key("the second secret"),
    );
    here.register(&scope, &old, NOW).await.unwrap();
    assert!(cached.key(&scope, old.kid()).await.unwrap().is_some());
    while changes.try_recv().is_ok() {}
    here.register(&scope, &new, NOW).await.unwrap();
    let heard = tokio::time::timeout(NEWS, changes.recv()).await;
    assert!(matches!(heard, Ok(Ok(Change::Key { .. }))), "{heard:?}");
    assert!(cached.key(&scope, old.kid()).await.unwrap().is_none());
    let found = cached.key(&scope, new.kid()).await.unwrap().unwrap();
    assert!(found.same_secret(&new));
    // And by itself at once, whatever is heard.
    assert_eq!(cached.revoke(&scope, NOW).await, Ok(true));
    assert!(cached.key(&scope, new.kid()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_make_the_tables_once() {
    let store = Store::postgres();
    let (a, b, c) = tokio::join!(
        store.open_with(None),
        store.open_with(None),
        store.open_with(None)
    );
    for records in [a, b, c] {
        let registered = records
            .unwrap()
            .register(&stream("AAA-one"), &key("the first secret"), NOW)
            .await;
        assert!(registered.is_ok_and(|registered| registered.revision() == 1));
    }
    let Store::Postgres(database) = &store else {
        panic!("not PostgreSQL")
    };
    let each_once = "SELECT count(*) = max(version) FROM _sqlx_migrations";
    assert_eq!(database.ask(each_once), "t");
    // Tables of a newer version are not for this program.
    database.ask(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999, 'from the future', true, '', 0)",
    );
    let refused = store.open_with(None).await.err().unwrap();
    assert!(matches!(refused, OpenError::Database { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_known_keys_hold_up_to_their_age() {
    let mut postgres = Postgres::start();
    let name = postgres.create_database();
    let settings = StoreSettings {
        connections: 2,
        timeout: Duration::from_secs(1),
        ..StoreSettings::default()
    };
    let url = PostgresUrl::parse(&postgres.url(&name)).unwrap();
    let open = h5live::records::Postgres::open(&url, None, &settings);
    let store: Arc<dyn Records> = Arc::new(open.await.unwrap());
    let age = Duration::from_secs(6);
    let cached = Cached::new(Arc::clone(&store), remember(age));
    let mut changes = cached.changes();
    let (known, unknown) = (stream("AAA-one"), stream("AAA-two"));
    let secret = key("the first secret");
    for scope in [&known, &unknown] {
        cached.register(scope, &secret, NOW).await.unwrap();
    }
    let read = Instant::now();
    assert!(cached.key(&known, secret.kid()).await.unwrap().is_some());
    postgres.stop();
    let found = cached.key(&known, secret.kid()).await.unwrap().unwrap();
    assert!(found.same_secret(&secret));
    assert!(matches!(
        look_up(&cached, &unknown, secret.kid()).await,
        KeyLookup::Unavailable
    ));
    // A kid that is not remembered may be that of a new secret.
    assert!(matches!(
        look_up(&cached, &known, key("the second secret").kid()).await,
        KeyLookup::Unavailable
    ));
    let until = loop {
        match cached.key(&known, secret.kid()).await {
            Ok(Some(_)) => assert!(read.elapsed() < age + Duration::from_secs(1)),
            Err(RecordsError::Unavailable(_)) => break read.elapsed(),
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(until >= age, "forgotten after {until:?}");
    assert!(!store.hears_others());
    while changes.try_recv().is_ok() {}

    postgres.restart();
    // Whoever keeps what was read is told that it may be old.
    let told = tokio::time::timeout(PATIENCE, changes.recv()).await;
    assert_eq!(told.unwrap(), Ok(Change::Missed));
    for scope in [&known, &unknown] {
        assert!(cached.key(scope, secret.kid()).await.unwrap().is_some());
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_tls_the_database_has_to_prove_itself() {
    let database = Database::new();
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("own.pem");
    std::fs::copy(database.postgres.certificate(), &own).unwrap();
    let other = directory.path().join("other.pem");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&other, made.cert.pem()).unwrap();
    for (authority, believed) in [(own, true), (other, false)] {
        let url = format!(
            "{}?sslmode=verify-full&sslrootcert={}",
            database.url(),
            authority.display()
        );
        let url = PostgresUrl::parse(&url).unwrap();
        let settings = support::store::settings(None);
        match h5live::records::Postgres::open(&url, None, &settings).await {
            Ok(_) => assert!(believed),
            Err(OpenError::Database { reason, .. }) if !believed => {
                assert!(reason.contains("certificate"), "{reason}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    let encrypted = "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE ssl AND application_name = 'h5live-server' AND datname = current_database()";
    let store = Store::Postgres(database);
    let records = store.open().await;
    let Store::Postgres(database) = &store else {
        panic!("not PostgreSQL")
    };
    // Without a word about it too, where the database offers it.
    assert_eq!(database.ask(encrypted), "t");
    records.close().await;
}

fn remember(age: Duration) -> CacheSettings {
    CacheSettings { age, entries: 100 }
}

#[test]
fn who_plays_at_one_server_is_ended_by_a_withdrawal_at_the_other() {
    let database = Database::new();
    let origin = "rtmp://127.0.0.1:9/live";
    let options = Options {
        origins: vec![("nobody".to_owned(), origin.to_owned())],
        ..shared(&database.url())
    };
    let (here, there) = (Server::start(&options), Server::start(&options));
    here.register("ABCDE-demo", "a secret to be withdrawn");
    let token = there.mint(&json!({"streamname": "ABCDE-demo"}));
    let mut viewer = Viewer::connect(&there.websocket_url(origin, "ABCDE-demo", &token));
    assert!(viewer.next().is("onServerInfo"));
    let (status, answer) = here.post("/secure/revoke", &json!({"streamname": "ABCDE-demo"}));
    assert_eq!(status, 200, "{answer}");
    let closed = viewer.next_before(Instant::now() + NEWS);
    assert!(matches!(closed, Some(Received::Closed(4901))), "{closed:?}");
}

fn shared(url: &str) -> Options {
    Options {
        records: Some(url.to_owned()),
        environment: vec![("H5LIVE_LOG".into(), "trace".into())],
        ..Options::default()
    }
}

/// What becomes of somebody who comes with this token: a close code, or 0 with media.
fn verdict(server: &Server, origin: &str, stream: &str, token: &Security) -> u16 {
    let mut viewer = Viewer::connect(&server.websocket_url(origin, stream, token));
    let last = |message: &Received| !matches!(message, Received::Event(..));
    match viewer.until(last).pop() {
        Some(Received::Closed(code)) => code,
        _ => 0,
    }
}

#[test]
fn a_rotation_at_one_server_holds_at_the_other() {
    let database = Database::new();
    let (here, there) = (
        Server::start(&shared(&database.url())),
        Server::start(&shared(&database.url())),
    );
    here.register("ABCDE-demo", "the first secret of this");
    let token = there.mint(&json!({"streamname": "ABCDE-demo"}));
    // Let in, as far as the token goes: there is no such origin.
    assert_eq!(
        verdict(&there, "rtmp://none/live", "ABCDE-demo", &token),
        4400
    );
    here.register("ABCDE-demo", "the second secret of this");
    let rotated = Instant::now();
    while verdict(&there, "rtmp://none/live", "ABCDE-demo", &token) != 4901 {
        assert!(rotated.elapsed() < NEWS, "the old token still opens");
    }
    for server in [&here, &there] {
        assert!(!server.log().contains(PASSWORD));
        assert!(server.log().contains("listening on"));
    }
}

#[test]
fn the_database_comes_and_goes_while_a_server_runs() {
    let origin = Origin::start();
    let url = origin.url("live");
    let mut postgres = Postgres::start();
    let name = postgres.create_database();
    let server = Server::start(&Options {
        origins: vec![("main".to_owned(), url.clone())],
        more: "[limits]\nrecords-timeout = \"1s\"\nrecords-cache-age = \"5m\"\n".to_owned(),
        ..shared(&postgres.url(&name))
    });
    let [known, unknown] = ["ABCDE-known", "ABCDE-unknown"].map(|stream| {
        server.register(stream, "the secret of these viewers");
        (stream, server.mint(&json!({"streamname": stream})))
    });
    let _publishers = [known.0, unknown.0]
        .map(|stream| Publisher::start(&origin, stream, &publisher::Options::default()));
    let mut viewer = Viewer::connect(&server.websocket_url(&url, known.0, &known.1));
    let media = |message: &Received| matches!(message, Received::Binary(_));
    viewer.until(media);

    postgres.stop();
    assert_eq!(verdict(&server, &url, known.0, &known.1), 0);
    assert_eq!(verdict(&server, &url, unknown.0, &unknown.1), 4900);
    let (status, answer) = server.post("/secure/token", &json!({"streamname": known.0}));
    assert_eq!(status, 503, "{answer}");
    for _ in 0..60 {
        viewer.until(media);
    }

    postgres.restart();
    wait_until("an unknown token gets in again", || {
        (verdict(&server, &url, unknown.0, &unknown.1) == 0).then_some(())
    });
    viewer.until(media);
    assert!(!server.log().contains(PASSWORD));
}

#[test]
fn a_password_is_never_shown() {
    let database = Database::new();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let run = |command: &[&str], server: &str| {
        let config = file("h5live.toml", &format!("[server]\n{server}\n"));
        let output = program().args(command).arg(config).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains("sesame"), "{text}");
        (output.status.code(), text)
    };
    let account = ["account", "add", "--orga", "ABCDE", "--config"];
    let records = |url: &str| format!("records = \"{url}\"");

    let (code, text) = run(&["check-config"], &records(&database.url()));
    assert_eq!(code, Some(0), "{text}");
    let shown = database.postgres.url_without_password(&database.name);
    assert!(text.contains(&format!("records: {shown}\n")), "{text}");

    let wrong = database.url().replace(PASSWORD, "sesame-of-another");
    let (code, text) = run(&account, &records(&wrong));
    assert_eq!(code, Some(1));
    assert!(
        text.contains(&shown) && text.contains("password authentication failed"),
        "{text}"
    );

    let by_file = format!("{}\nrecords-password-file = \"password\"", records(&shown));
    file("password", &format!("{PASSWORD}\n"));
    let (code, text) = run(&account, &by_file);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(database.ask("SELECT orga FROM api_keys"), "ABCDE");
}
