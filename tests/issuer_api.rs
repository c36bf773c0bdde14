//! The REST API as a backend meets it: the seed's requests, and what their tokens open.
//!
//! Over real records in SQLite, without a socket. Refusals are in `issuer_refusals.rs`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod issuer;

use h5live::token::{Claims, Scope, Secret, StreamName, Tag, mint};
use issuer::{Api, NOW, OTHER_SECRET, SECRET};
use serde_json::json;

#[tokio::test]
async fn the_seeds_four_forms_answer_as_the_seed_shows() {
    let api = Api::registered().await;
    // The bodies as the seed's curl lines write them.
    let rows = [
        (
            "(a)",
            r#"{"streamname": "ABCDE-demo", "tag": "mytag", "expires": "1591747200"}"#,
            "1591747200",
            "mytag",
            9,
        ),
        (
            "(b)",
            r#"{"orga": "ABCDE", "tag": "mytag", "expires": "1591747200"}"#,
            "1591747200",
            "mytag",
            25,
        ),
        (
            "(c)",
            r#"{"streamname": "ABCDE-demo", "ip": "192.0.2.7"}"#,
            "",
            "",
            2,
        ),
        (
            "(d)",
            r#"{"streamname": "ABCDE-demo", "tag": "mytag", "referer": "demo.nanocosmos.de"}"#,
            "",
            "mytag",
            12,
        ),
    ];
    for (name, body, expires, tag, options) in rows {
        let reply = api.post_text("token", body).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text);
        let json = reply.json();
        let security = &json["h5live"]["security"];
        let token = security["token"].as_str().unwrap();
        let expected = format!(
            "{{\"h5live\":{{\"security\":{{\"expires\":\"{expires}\",\"tag\":\"{tag}\",\"token\":\"{token}\",\"options\":{options}}}}}}}\n"
        );
        assert_eq!(reply.text, expected, "{name}");
        assert_eq!(token.len(), 50);
        api.verify("ABCDE-demo", security).await.expect(name);
        let elsewhere = api.verify("ABCDE-other", security).await;
        assert_eq!(
            elsewhere.is_ok(),
            name == "(b)",
            "{name} opens another stream of the organisation"
        );
        assert!(api.verify("OTHER-demo", security).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn every_mix_of_bindings_verifies() {
    let api = Api::registered().await;
    let bindings = [
        ("expires", "1591747200"),
        ("ip", "192.0.2.7"),
        ("referer", "demo.nanocosmos.de"),
        ("tag", "t"),
    ];
    for bits in 0..32_u8 {
        let mut body = match bits & 16 {
            0 => json!({"streamname": "ABCDE-demo"}),
            _ => json!({"orga": "ABCDE"}),
        };
        for (index, (key, value)) in bindings.iter().enumerate() {
            // What is not bound is written as "" every other time: customers send that.
            if bits >> index & 1 == 1 {
                body[key] = json!(value);
            } else if bits % 2 == 1 {
                body[key] = json!("");
            }
        }
        let reply = api.post("token", &body).await;
        let json = reply.json();
        let security = &json["h5live"]["security"];
        assert_eq!(security["options"], bits, "{body} gave {}", reply.text);
        api.verify("ABCDE-demo", security)
            .await
            .unwrap_or_else(|denial| panic!("{body}: {denial}"));
    }
}

#[tokio::test]
async fn expires_is_taken_as_string_and_as_number() {
    let api = Api::registered().await;
    for expires in [
        json!("1591747200"),
        json!(1_591_747_200),
        json!(NOW.0 + 1),
        json!(NOW.0 + 365 * 86_400),
    ] {
        let reply = api
            .post(
                "token",
                &json!({"streamname": "ABCDE-demo", "expires": expires}),
            )
            .await;
        let json = reply.json();
        let security = &json["h5live"]["security"];
        let digits = expires.to_string().replace('"', "");
        assert_eq!(security["expires"], digits, "{}", reply.text);
        assert_eq!(security["options"], 1);
    }
}

#[tokio::test]
async fn registering_again_rotates_and_the_same_again_does_not() {
    let api = Api::registered().await;
    let minted = api
        .post("token", &json!({"streamname": "ABCDE-demo"}))
        .await
        .json();
    let security = &minted["h5live"]["security"];
    api.register(SECRET).await;
    let grant = api.verify("ABCDE-demo", security).await.unwrap();
    assert_eq!(grant.revision(), 1);
    api.register(OTHER_SECRET).await;
    assert!(api.verify("ABCDE-demo", security).await.is_err());
    let minted = api
        .post("token", &json!({"streamname": "ABCDE-demo"}))
        .await
        .json();
    let grant = api
        .verify("ABCDE-demo", &minted["h5live"]["security"])
        .await
        .unwrap();
    assert_eq!(grant.revision(), 2);
}

#[tokio::test]
async fn an_offline_backend_mints_what_the_server_mints() {
    let api = Api::registered().await;
    let minted = api
        .post("token", &json!({"streamname": "ABCDE-demo", "tag": "t"}))
        .await
        .json();
    let scope = Scope::Stream(StreamName::parse("ABCDE-demo").unwrap());
    let mut claims = Claims::of(scope);
    claims.tag = Some(Tag::parse("t").unwrap());
    let offline = mint(&Secret::new(SECRET).unwrap().key(), &claims);
    assert_eq!(minted["h5live"]["security"]["token"], offline.token);
}
