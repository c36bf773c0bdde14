//! Secrets withdrawn through the REST API: what opens nothing after it, who is told, and who may not.
//!
//! Over real records in SQLite, without a socket; what ends at the doors is in `withdrawal.rs`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod issuer;

use std::sync::{Arc, Mutex};

use h5live::issuer::{FailureLimits, Issuer, Live};
use h5live::records::{Records, look_up};
use h5live::token::{KeyLookup, Orga, Scope, Secret, Selection, StreamName, Withdrawal};
use hyper::Method;
use issuer::{Api, NOW, OTHER_SECRET, Reply, SECRET};
use serde_json::{Value, json};

/// Notes what it is told of; one session ends each time.
#[derive(Default)]
struct Told(Mutex<Vec<Withdrawal>>);

impl Live for Told {
    fn withdraw(&self, withdrawal: &Withdrawal) -> usize {
        self.0.lock().unwrap().push(withdrawal.clone());
        1
    }
}

impl Told {
    fn take(&self) -> Vec<Withdrawal> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

async fn site() -> (Api, Arc<Told>) {
    let mut api = Api::new().await;
    let told = Arc::<Told>::default();
    let limits = FailureLimits {
        burst: 1_000,
        recovery_seconds: 10,
        entries: 100,
    };
    let records = Arc::new(api.records.clone());
    api.issuer = Issuer::new(records, limits).with_live(Arc::clone(&told) as _);
    (api, told)
}

async fn delete(api: &Api, path: &str) -> Reply {
    let mut headers = api.headers();
    headers.remove("content-type");
    api.send(&Method::DELETE, path, &headers, "", NOW, "192.0.2.1")
        .await
}

fn stream(name: &str) -> StreamName {
    StreamName::parse(name).unwrap()
}

fn orga() -> Orga {
    Orga::parse("ABCDE").unwrap()
}

fn record(scope: Scope, before: u64) -> Withdrawal {
    Withdrawal::Record { scope, before }
}

#[tokio::test]
async fn a_stream_whose_secret_is_withdrawn_needs_another_one() {
    let (api, told) = site().await;
    api.register(SECRET).await;
    let body = json!({"streamname": "ABCDE-demo"});
    let minted = api.post("token", &body).await.json();
    let security = &minted["h5live"]["security"];
    api.verify("ABCDE-demo", security).await.unwrap();
    assert_eq!(told.take(), []);

    let reply = delete(&api, "/secure/stream/ABCDE-demo").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, body.clone()));
    let of_stream = Scope::Stream(stream("ABCDE-demo"));
    assert_eq!(told.take(), [record(of_stream.clone(), u64::MAX)]);
    assert!(api.verify("ABCDE-demo", security).await.is_err());
    assert_eq!(api.post("token", &body).await.status, 404);

    let again = json!({"streamname": "ABCDE-demo", "secret": SECRET});
    let refusal = api.post("stream", &again).await.refusal();
    assert_eq!(refusal.1, "secret_revoked");
    api.register(OTHER_SECRET).await;
    assert_eq!(told.take(), [], "nobody plays by what is gone");
    api.register("a third secret of it").await;
    assert_eq!(told.take(), [record(of_stream, 3)]);
}

#[tokio::test]
async fn an_organisations_secret_is_replaced_and_withdrawn_likewise() {
    let (api, told) = site().await;
    let wish = json!({"orga": "ABCDE"});
    let minted = api.post("token", &wish).await.json();
    let secret = json!({"orga": "ABCDE", "secret": OTHER_SECRET});
    let reply = api.post("orga", &secret).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, wish.clone()));
    assert_eq!(told.take(), [record(Scope::Orga(orga()), 2)]);
    let verified = api.verify("ABCDE-demo", &minted["h5live"]["security"]);
    assert!(verified.await.is_err());

    let reply = delete(&api, "/secure/orga").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, wish.clone()));
    assert_eq!(told.take(), [record(Scope::Orga(orga()), u64::MAX)]);
    let refusal = delete(&api, "/secure/orga").await.refusal();
    assert_eq!(refusal, (404, "not_registered".into(), Some("orga".into())));
    assert_eq!(api.post("token", &wish).await.status, 404);
}

#[tokio::test]
async fn deletions_that_are_refused() {
    let (api, told) = site().await;
    api.register(SECRET).await;
    let rows = [
        ("ABCDE-never", 404, "not_registered"),
        ("OTHER-demo", 403, "other_organisation"),
        ("abcde-demo", 403, "other_organisation"),
        ("ABCDE", 400, "streamname_malformed"),
        ("ABCDE-demo%20", 400, "streamname_malformed"),
        ("%41BCDE-demo", 400, "streamname_malformed"),
    ];
    for (name, status, code) in rows {
        let refusal = delete(&api, &format!("/secure/stream/{name}"))
            .await
            .refusal();
        let expected = (status, code.to_owned(), Some("streamname".to_owned()));
        assert_eq!(refusal, expected, "{name}");
    }
    assert_eq!(told.take(), []);
}

#[tokio::test]
async fn what_is_revoked_withdraws_the_secrets_behind_it() {
    let mine = || Selection::of(orga());
    let kid = Secret::new(SECRET).unwrap().kid();
    let one = || Scope::Stream(stream("ABCDE-one"));
    let two = || Scope::Stream(stream("ABCDE-two"));
    let by_kid = Selection {
        kid: Some(kid),
        ..mine()
    };
    let by_stream = Selection {
        stream: Some(stream("ABCDE-one")),
        ..mine()
    };
    let by_orga = Selection {
        whole_orga: true,
        ..mine()
    };
    let both = Selection {
        kid: Some(kid),
        ..by_stream.clone()
    };
    #[rustfmt::skip]
    let rows: [(Value, Selection, Vec<Scope>); 5] = [
        (json!({"kid": kid.to_string()}), by_kid, vec![one(), two()]),
        (json!({"streamname": "ABCDE-one"}), by_stream, vec![one()]),
        (json!({"orga": "ABCDE"}), by_orga, vec![Scope::Orga(orga())]),
        (json!({"kid": kid.to_string(), "streamname": "ABCDE-one"}), both, vec![]),
        (json!({"kid": "00000000"}), Selection { kid: Some("00000000".parse().unwrap()), ..mine() }, vec![]),
    ];
    for (body, selection, scopes) in rows {
        let (api, told) = site().await;
        let secret = Secret::new(SECRET).unwrap().key();
        // The same secret for a stream of somebody else is none of ours.
        let other = Scope::Stream(stream("OTHER-one"));
        for scope in [one(), two(), other.clone()] {
            api.records.register(&scope, &secret, NOW).await.unwrap();
        }
        let reply = api.post("revoke", &body).await;
        let expected = json!({"sessions": 1 + scopes.len(), "secrets": scopes.len()});
        assert_eq!(reply.json(), expected, "{body}");
        let mut withdrawn: Vec<Withdrawal> = scopes
            .iter()
            .map(|scope| record(scope.clone(), u64::MAX))
            .collect();
        withdrawn.push(Withdrawal::Sessions(selection));
        assert_eq!(told.take(), withdrawn, "{body}");
        for scope in [one(), two(), other] {
            let found = look_up(&api.records, &scope, kid).await;
            let gone = matches!(found, KeyLookup::Unknown);
            assert_eq!(gone, scopes.contains(&scope), "{body} {scope:?}");
        }
    }
}
