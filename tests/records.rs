//! The records, against their interface: what holds for SQLite holds for PostgreSQL.
//!
//! Does not cover `kill -9` in the middle of a write, nor a full or read-only disk; what is one store's
//! own is in `records_files.rs` and `postgres.rs`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use h5live::records::{
    ApiKey, ApiKeyHash, Created, NewAccount, Operator, OperatorName, RecordsError, Registered,
    look_up,
};
use h5live::token::{KeyLookup, Scope};
use support::store::{NOW, Store, key, orga, stream};

/// Two secrets with one kid: found by trying, and checked below.
const SAME_KID: [&str; 2] = ["colliding secret 51632", "colliding secret 55291"];

fn account(hash: &str, api_key: &ApiKey, secret: &str) -> NewAccount {
    NewAccount {
        orga: orga(hash),
        api_key: api_key.hash(),
        orga_key: key(secret),
        created: NOW,
    }
}

/// Each of these is a test over each store.
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
    an_api_key_leads_to_its_organisation_only
    a_further_api_key_leaves_the_organisation_as_it_was
    the_same_secret_again_changes_nothing
    another_secret_makes_the_old_one_void_at_once
    a_scope_has_its_own_secret
    a_secret_with_the_kid_of_the_live_one_is_refused
    a_revoked_secret_is_not_accepted_again
    what_was_answered_is_there_after_a_restart
    two_handles_at_once_lose_nothing
    an_operator_is_replaced_by_name_and_taken_away_for_good
}

async fn an_operator_is_replaced_by_name_and_taken_away_for_good(store: Store) {
    let records = store.open().await;
    let operator = |name: &str, password: &str| Operator {
        name: OperatorName::parse(name).unwrap(),
        password: password.to_owned(),
        created: NOW,
    };
    let (ada, bob) = (
        operator("ada", "hash 1"),
        operator("bob@example.com", "hash 2"),
    );
    assert_eq!(records.operator(&ada.name).await, Ok(None));
    assert_eq!(records.put_operator(&bob).await, Ok(false));
    assert_eq!(records.put_operator(&ada).await, Ok(false));
    let other = operator("ada", "hash 3");
    assert_eq!(records.put_operator(&other).await, Ok(true));
    assert_eq!(records.operator(&ada.name).await, Ok(Some(other.clone())));
    records.close().await;
    let records = store.open().await;
    let all = records.operators().await;
    assert_eq!(all, Ok(vec![other, bob.clone()]));
    assert_eq!(records.remove_operator(&ada.name).await, Ok(true));
    assert_eq!(records.remove_operator(&ada.name).await, Ok(false));
    assert_eq!(records.operators().await, Ok(vec![bob]));
    assert!(OperatorName::parse("").is_err() && OperatorName::parse("a b").is_err());
}

async fn an_api_key_leads_to_its_organisation_only(store: Store) {
    let records = store.open().await;
    let (a, b) = (ApiKey::of_random([1; 32]), ApiKey::of_random([2; 32]));
    let made = records
        .create_account(&account("AAA", &a, "secret of orga AAA"))
        .await;
    assert_eq!(made, Ok(Created::Organisation));
    let made = records
        .create_account(&account("BBB", &b, "secret of orga BBB"))
        .await;
    assert_eq!(made, Ok(Created::Organisation));
    assert_eq!(records.orga_of(&a.hash()).await, Ok(Some(orga("AAA"))));
    assert_eq!(records.orga_of(&b.hash()).await, Ok(Some(orga("BBB"))));
    let unknown = ApiKeyHash::of(b"h5l_unknown");
    assert_eq!(records.orga_of(&unknown).await, Ok(None));
    for (hash, secret) in [("AAA", "secret of orga AAA"), ("BBB", "secret of orga BBB")] {
        let current = records
            .current_key(&Scope::Orga(orga(hash)))
            .await
            .unwrap()
            .unwrap();
        assert!(current.same_secret(&key(secret)));
        assert_eq!(current.revision(), 1);
    }
}

async fn a_further_api_key_leaves_the_organisation_as_it_was(store: Store) {
    let records = store.open().await;
    let (first, second) = (ApiKey::of_random([1; 32]), ApiKey::of_random([2; 32]));
    records
        .create_account(&account("AAA", &first, "secret of orga AAA"))
        .await
        .unwrap();
    let made = records
        .create_account(&account("AAA", &second, "quite another one"))
        .await;
    assert_eq!(made, Ok(Created::ApiKey));
    for api_key in [first, second] {
        assert_eq!(
            records.orga_of(&api_key.hash()).await,
            Ok(Some(orga("AAA")))
        );
    }
    let current = records
        .current_key(&Scope::Orga(orga("AAA")))
        .await
        .unwrap()
        .unwrap();
    assert!(current.same_secret(&key("secret of orga AAA")));
}

async fn the_same_secret_again_changes_nothing(store: Store) {
    let records = store.open().await;
    let (scope, secret) = (stream("AAA-one"), key("the first secret"));
    assert!(records.current_key(&scope).await.unwrap().is_none());
    for expected in [
        Registered::First(1),
        Registered::Unchanged(1),
        Registered::Unchanged(1),
    ] {
        assert_eq!(records.register(&scope, &secret, NOW).await, Ok(expected));
    }
    let found = records.key(&scope, secret.kid()).await.unwrap().unwrap();
    assert!(found.same_secret(&secret));
    assert_eq!((found.kid(), found.revision()), (secret.kid(), 1));
}

async fn another_secret_makes_the_old_one_void_at_once(store: Store) {
    let records = store.open().await;
    let scope = stream("AAA-one");
    let (old, new) = (key("the first secret"), key("the second secret"));
    records.register(&scope, &old, NOW).await.unwrap();
    assert_eq!(
        records.register(&scope, &new, NOW).await,
        Ok(Registered::Replaced(2))
    );
    assert!(records.key(&scope, old.kid()).await.unwrap().is_none());
    let found = records.key(&scope, new.kid()).await.unwrap().unwrap();
    assert!(found.same_secret(&new) && found.revision() == 2);
    assert_eq!(
        records.register(&scope, &old, NOW).await,
        Ok(Registered::Replaced(3))
    );
}

async fn a_scope_has_its_own_secret(store: Store) {
    let records = store.open().await;
    let secret = key("one secret for two");
    records
        .register(&stream("AAA-one"), &secret, NOW)
        .await
        .unwrap();
    for other in [
        stream("AAA-two"),
        stream("AAA-one-more"),
        Scope::Orga(orga("AAA")),
    ] {
        assert!(
            records.key(&other, secret.kid()).await.unwrap().is_none(),
            "{other:?}"
        );
        assert!(matches!(
            look_up(&*records, &other, secret.kid()).await,
            KeyLookup::Unknown
        ));
    }
    let found = look_up(&*records, &stream("AAA-one"), secret.kid()).await;
    assert!(matches!(found, KeyLookup::Found(key) if key.same_secret(&secret)));
}

async fn a_secret_with_the_kid_of_the_live_one_is_refused(store: Store) {
    let records = store.open().await;
    let [a, b] = SAME_KID.map(key);
    assert_eq!(a.kid(), b.kid());
    assert!(!a.same_secret(&b));
    records.register(&stream("AAA-one"), &a, NOW).await.unwrap();
    let refused = records.register(&stream("AAA-one"), &b, NOW).await;
    assert_eq!(refused, Err(RecordsError::SameKid));
    let kept = records
        .key(&stream("AAA-one"), a.kid())
        .await
        .unwrap()
        .unwrap();
    assert!(kept.same_secret(&a));
    assert_eq!(
        records.register(&stream("AAA-two"), &b, NOW).await,
        Ok(Registered::First(1))
    );
}

async fn a_revoked_secret_is_not_accepted_again(store: Store) {
    let records = store.open().await;
    let scope = stream("AAA-one");
    let (revoked, next) = (key("the first secret"), key("the second secret"));
    assert_eq!(records.revoke(&scope, NOW).await, Ok(false));
    records.register(&scope, &revoked, NOW).await.unwrap();
    assert_eq!(records.revoke(&scope, NOW).await, Ok(true));
    assert!(records.current_key(&scope).await.unwrap().is_none());
    assert_eq!(
        records.register(&scope, &revoked, NOW).await,
        Err(RecordsError::Revoked)
    );
    assert_eq!(
        records.register(&scope, &next, NOW).await,
        Ok(Registered::First(2))
    );
    assert_eq!(
        records.register(&scope, &revoked, NOW).await,
        Err(RecordsError::Revoked)
    );
    let elsewhere = records.register(&stream("AAA-two"), &revoked, NOW).await;
    assert_eq!(elsewhere, Ok(Registered::First(1)));
}

async fn what_was_answered_is_there_after_a_restart(store: Store) {
    let api_key = ApiKey::of_random([1; 32]);
    let secret = key("the first secret");
    {
        // Dropped without a close, as by a crash.
        let records = store.open().await;
        records
            .create_account(&account("AAA", &api_key, "secret of orga AAA"))
            .await
            .unwrap();
        records
            .register(&stream("AAA-one"), &secret, NOW)
            .await
            .unwrap();
    }
    let records = store.open().await;
    assert_eq!(
        records.orga_of(&api_key.hash()).await,
        Ok(Some(orga("AAA")))
    );
    let again = records.register(&stream("AAA-one"), &secret, NOW).await;
    assert_eq!(again, Ok(Registered::Unchanged(1)));
}

async fn two_handles_at_once_lose_nothing(store: Store) {
    // Both make the tables.
    let (a, b) = tokio::join!(store.open(), store.open());
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let records = Arc::clone(if number % 2 == 0 { &a } else { &b });
        writers.spawn(async move {
            let secret = key(&format!("secret number {number:02}"));
            records
                .register(&stream("AAA-one"), &secret, NOW)
                .await
                .unwrap()
                .revision()
        });
    }
    let mut revisions: Vec<u64> = writers.join_all().await;
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=20).collect::<Vec<u64>>());
    let (seen_by_a, seen_by_b) = (
        a.current_key(&stream("AAA-one")).await.unwrap(),
        b.current_key(&stream("AAA-one")).await.unwrap(),
    );
    let (seen_by_a, seen_by_b) = (seen_by_a.unwrap(), seen_by_b.unwrap());
    assert!(seen_by_a.same_secret(&seen_by_b));
    assert_eq!((seen_by_a.revision(), seen_by_b.revision()), (20, 20));
}

#[test]
fn api_keys_are_long_and_not_shown() {
    let api_key = ApiKey::of_random([0xfe; 32]);
    assert!(api_key.reveal().starts_with("h5l_"));
    assert_eq!(api_key.reveal().len(), 47);
    assert_eq!(api_key.hash(), ApiKeyHash::of(api_key.reveal().as_bytes()));
    assert_eq!(
        format!("{api_key:?} {:?}", api_key.hash()),
        "ApiKey(redacted) ApiKeyHash(redacted)"
    );
}
