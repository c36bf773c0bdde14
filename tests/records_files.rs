//! What is SQLite's own: the files that hold the records.
//!
//! What holds for every store is in `records.rs`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt;

use h5live::records::{ApiKey, NewAccount, OpenError, Records, RecordsError, Sqlite, look_up};
use h5live::token::{KeyLookup, Kid};
use support::store::{NOW, key, orga, settings, sqlite_path, stream};

fn account(hash: &str, api_key: &ApiKey, secret: &str) -> NewAccount {
    NewAccount {
        orga: orga(hash),
        api_key: api_key.hash(),
        orga_key: key(secret),
        created: NOW,
    }
}

#[tokio::test]
async fn the_files_are_the_owners_alone_and_hold_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = sqlite_path(directory.path());
    let records = Sqlite::open(&path, &settings(None)).await.unwrap();
    let api_key = ApiKey::of_random([1; 32]);
    records
        .create_account(&account("AAA", &api_key, "secret of orga AAA"))
        .await
        .unwrap();
    records
        .register(&stream("AAA-one"), &key("the first secret"), NOW)
        .await
        .unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        for secret in ["secret of orga AAA", "the first secret", api_key.reveal()] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "a secret stands in {}", path.display());
        }
        files += 1;
    }
    assert!(files >= 2, "the write-ahead log was looked at as well");
    records.close().await;
    assert!(matches!(
        records.orga_of(&api_key.hash()).await,
        Err(RecordsError::Unavailable(_))
    ));
    let looked_up = look_up(&records, &stream("AAA-one"), Kid([0; 4])).await;
    assert!(matches!(looked_up, KeyLookup::Unavailable));
}

#[tokio::test]
async fn a_file_that_others_may_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = sqlite_path(directory.path());
    Sqlite::open(&path, &settings(None))
        .await
        .unwrap()
        .close()
        .await;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let refused = Sqlite::open(&path, &settings(None)).await.unwrap_err();
    assert!(matches!(refused, OpenError::Mode { mode: 0o640, .. }));
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = sqlite_path(directory.path());
    std::fs::write(
        &path,
        "these are not the records of a server, whoever says so",
    )
    .unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(
        Sqlite::open(&path, &settings(None)).await,
        Err(OpenError::Database { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let nowhere = directory.path().join("no/such/directory");
    assert!(matches!(
        Sqlite::open(&nowhere, &settings(None)).await,
        Err(OpenError::File { .. })
    ));
}
