//! Signing keys sealed with a master key, over both stores.
//!
//! The form of a sealed key is tested beside it, in `src/records/sealed.rs`. Not covered: that
//! PostgreSQL's write-ahead log forgets what was there before keys were sealed; it does not.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use h5live::records::{MasterKey, OpenError, RecordsError, Registered};
use h5live::token::{Key, Orga, Scope};
use serde_json::json;
use support::server::{Options, Server, program};
use support::store::{NOW, Store, key, stream};

fn master(byte: u8) -> MasterKey {
    MasterKey::of_random([byte; 32])
}

/// All that a thief of the store could read.
fn content(store: &Store) -> Vec<u8> {
    match store {
        Store::Sqlite(directory) => fs::read_dir(directory.path())
            .unwrap()
            .flat_map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect(),
        Store::Postgres(database) => {
            let hex =
                database.ask("SELECT string_agg(encode(signing, 'hex'), '') FROM signing_keys");
            (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
                .collect()
        }
    }
}

fn holds(content: &[u8], key: &Key) -> bool {
    content
        .windows(32)
        .any(|window| window == key.signing_bytes())
}

async fn sealed_from_the_start(store: Store) {
    let (scope, secret, master_key) = (stream("AAA-one"), key("the first secret"), master(1));
    let records = store.open_with(Some(&master_key)).await.unwrap();
    records.register(&scope, &secret, NOW).await.unwrap();
    assert!(!holds(&content(&store), &secret));
    let found = records.key(&scope, secret.kid()).await.unwrap().unwrap();
    assert!(found.same_secret(&secret));
    records.close().await;
    let records = store.open_with(Some(&master_key)).await.unwrap();
    let again = records.register(&scope, &secret, NOW).await;
    assert_eq!(again, Ok(Registered::Unchanged(1)));
    records.close().await;
    for (wrong, with) in [
        (None, "give their master key"),
        (Some(master(2)), "another master key"),
    ] {
        let refused = store.open_with(wrong.as_ref()).await.err().unwrap();
        assert!(
            matches!(refused, OpenError::Sealed | OpenError::OtherMasterKey)
                && refused.to_string().contains(with),
            "{refused}"
        );
    }
    assert!(store.open_with(Some(&master_key)).await.is_ok());
}

async fn what_is_there_is_sealed_when_a_master_key_is_first_given(store: Store) {
    let secrets = ["the first secret", "the second secret"].map(key);
    let scopes = [stream("AAA-one"), Scope::Orga(Orga::parse("AAA").unwrap())];
    let open = store.open().await;
    for (scope, secret) in scopes.iter().zip(&secrets) {
        open.register(scope, secret, NOW).await.unwrap();
    }
    assert!(holds(&content(&store), &secrets[0]));
    if let Store::Sqlite(_) = store {
        // Nobody else has the file open, as when a server is started anew.
        open.close().await;
    }
    let sealed = store.open_with(Some(&master(1))).await.unwrap();
    for (scope, secret) in scopes.iter().zip(&secrets) {
        assert!(!holds(&content(&store), secret));
        let found = sealed.key(scope, secret.kid()).await.unwrap().unwrap();
        assert!(found.same_secret(secret) && found.revision() == 1);
    }
    // A server that runs without the master key all the time neither reads nor spoils them.
    let refused = open
        .register(&scopes[0], &key("the third secret"), NOW)
        .await;
    assert!(matches!(refused, Err(RecordsError::Unavailable(_))));
    let read = open.key(&scopes[0], secrets[0].kid()).await;
    assert!(matches!(read, Err(RecordsError::Unavailable(_))));
}

macro_rules! over_both_stores {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Store::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Store::postgres()).await;
            })*
        }
    };
}

over_both_stores! {
    sealed_from_the_start
    what_is_there_is_sealed_when_a_master_key_is_first_given
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

#[test]
fn a_server_seals_with_the_key_that_the_command_prints() {
    let printed = program().arg("master-key").output().unwrap();
    let master_key = text(&printed).trim().to_owned();
    assert!(master_key.parse::<MasterKey>().is_ok());
    let mut server = Server::start(&Options {
        environment: vec![("H5LIVE_LOG".into(), "debug".into())],
        ..Options::default()
    });
    server.register("ABCDE-demo", "a secret that must not be lost");
    let before = server.mint(&json!({"streamname": "ABCDE-demo"}));
    assert!(server.log().contains("NO MASTER KEY"));

    server.set_environment("H5LIVE_MASTER_KEY", &master_key);
    server.restart();
    assert!(server.log().contains("sealed from now on"));
    assert_eq!(server.mint(&json!({"streamname": "ABCDE-demo"})), before);
    assert!(!server.log().contains(&master_key));
    server.terminate();

    let run = |environment: &[(&str, &str)]| {
        let config = server.directory().join("h5live.toml");
        let mut command = program();
        command.args(["serve", "--config"]).arg(config);
        let output = command.envs(environment.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        text(&output)
    };
    let refused = run(&[]);
    assert!(
        refused.contains("are sealed; give their master key"),
        "{refused}"
    );
    let other = master(3).reveal();
    let refused = run(&[("H5LIVE_MASTER_KEY", &other)]);
    assert!(refused.contains("another master key"), "{refused}");
    let refused = run(&[("H5LIVE_MASTER_KEY", &other[1..])]);
    assert!(
        refused.contains("H5LIVE_MASTER_KEY: a master key is 32 bytes")
            && !refused.contains(&other[1..]),
        "{refused}"
    );
}

#[test]
fn a_master_key_in_a_file_is_the_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (config, file) = (
        directory.path().join("h5live.toml"),
        directory.path().join("h5live.master"),
    );
    fs::write(
        &config,
        "[server]\nrecords = \"r.sqlite\"\nmaster-key-file = \"h5live.master\"\n",
    )
    .unwrap();
    let run = |environment: Option<&str>| {
        let mut command = program();
        command.args(["account", "add", "--orga", "ABCDE", "--config"]);
        command.arg(&config).env_remove("H5LIVE_MASTER_KEY");
        command.envs(environment.map(|key| ("H5LIVE_MASTER_KEY", key)));
        let output = command.output().unwrap();
        (output.status.success(), text(&output))
    };
    let (done, said) = run(None);
    assert!(
        !done && said.contains("h5live.master: cannot be read"),
        "{said}"
    );
    let master_key = master(1).reveal();
    fs::write(&file, format!("{master_key}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (done, said) = run(None);
    assert!(!done && said.contains("chmod 600"), "{said}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (done, said) = run(Some(&master_key));
    assert!(!done && said.contains("keep one of them"), "{said}");
    let (done, said) = run(None);
    assert!(done && said.contains("api-key: "), "{said}");
    fs::write(&file, "no master key\n").unwrap();
    let (done, said) = run(None);
    assert!(
        !done && said.contains("32 bytes in base64") && !said.contains("no master key"),
        "{said}"
    );
}
