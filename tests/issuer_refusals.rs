//! The REST API's refusals: each with its status, its code and the field that is to blame.
//!
//! Over real records in SQLite, without a socket.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod issuer;

use h5live::issuer::{BODY_LIMIT, FailureLimits};
use h5live::records::look_up;
use h5live::token::{KeyLookup, Scope, Secret, StreamName, UnixSeconds};
use hyper::Method;
use issuer::{Api, NOW, SECRET};

#[tokio::test]
async fn bodies_that_are_refused() {
    let api = Api::registered().await;
    let token = |rest: &str| format!("{{\"streamname\": \"ABCDE-demo\", {rest}}}");
    let in_a_year_and_a_second = (NOW.0 + 365 * 86_400 + 1).to_string();
    let long_tag = format!("\"tag\": \"{}\"", "x".repeat(256));
    let secret = |secret: &str| format!("{{\"streamname\": \"ABCDE-demo\", \"secret\": {secret}}}");
    #[rustfmt::skip]
    let rows: Vec<(&str, String, u16, &str, Option<&str>)> = vec![
        ("token", String::new(), 400, "body_malformed", None),
        ("token", "{".into(), 400, "body_malformed", None),
        ("token", "[]".into(), 400, "body_malformed", None),
        ("token", "\"ABCDE-demo\"".into(), 400, "body_malformed", None),
        ("token", "{} {}".into(), 400, "body_malformed", None),
        ("token", "{\"streamname\": NaN}".into(), 400, "body_malformed", None),
        ("token", format!("{{\"tag\": {}1{}}}", "[".repeat(500), "]".repeat(500)), 400, "body_malformed", None),
        ("token", "{}".into(), 400, "streamname_or_orga_missing", Some("streamname")),
        ("token", "{\"streamname\": \"ABCDE-demo\", \"orga\": \"ABCDE\"}".into(), 400, "streamname_and_orga", Some("orga")),
        ("token", "{\"streamname\": \"ABCDE-demo\", \"orga\": \"\"}".into(), 400, "streamname_and_orga", Some("orga")),
        ("token", "{\"streamname\": \"\"}".into(), 400, "streamname_malformed", Some("streamname")),
        ("token", "{\"streamname\": \"ABCDE\"}".into(), 400, "streamname_malformed", Some("streamname")),
        ("token", "{\"streamname\": \"ABCDE-x socks=127.0.0.1:9\"}".into(), 400, "streamname_malformed", Some("streamname")),
        ("token", "{\"streamname\": 7}".into(), 400, "field_of_wrong_type", Some("streamname")),
        ("token", "{\"orga\": \"ABCDE-demo\"}".into(), 400, "orga_malformed", Some("orga")),
        ("token", "{\"orga\": [\"ABCDE\"]}".into(), 400, "field_of_wrong_type", Some("orga")),
        ("token", token("\"expires\": \"1591747200000\""), 400, "expires_in_milliseconds", Some("expires")),
        ("token", token("\"expires\": 1591747200000"), 400, "expires_in_milliseconds", Some("expires")),
        ("token", token(&format!("\"expires\": \"{}000\"", NOW.0 - 86_400)), 400, "expires_in_milliseconds", Some("expires")),
        ("token", token(&format!("\"expires\": \"{}\"", NOW.0)), 400, "expires_in_the_past", Some("expires")),
        ("token", token("\"expires\": 1"), 400, "expires_in_the_past", Some("expires")),
        ("token", token("\"expires\": \"0\""), 400, "expires_in_the_past", Some("expires")),
        ("token", token(&format!("\"expires\": \"{in_a_year_and_a_second}\"")), 400, "expires_too_far_ahead", Some("expires")),
        ("token", token("\"expires\": 18446744073709551615"), 400, "expires_too_far_ahead", Some("expires")),
        ("token", token("\"expires\": 18446744073709551616"), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": \"18446744073709551616\""), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": 1e9"), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": 1591747200.0"), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": -1"), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": \"1e9\""), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": \"-1\""), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": \"+1591747200\""), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": \" 1591747200\""), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": \"01591747200\""), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": \"abc\""), 400, "expires_malformed", Some("expires")),
        ("token", token("\"expires\": true"), 400, "field_of_wrong_type", Some("expires")),
        ("token", token("\"expires\": null"), 400, "field_of_wrong_type", Some("expires")),
        ("token", token("\"expires\": {}"), 400, "field_of_wrong_type", Some("expires")),
        ("token", token("\"ip\": \"192.0.2\""), 400, "ip_malformed", Some("ip")),
        ("token", token("\"ip\": \"192.0.2.7:80\""), 400, "ip_malformed", Some("ip")),
        ("token", token("\"ip\": \"192.0.2.0/24\""), 400, "ip_malformed", Some("ip")),
        ("token", token("\"ip\": \"fe80::1%eth0\""), 400, "ip_malformed", Some("ip")),
        ("token", token("\"ip\": \"localhost\""), 400, "ip_malformed", Some("ip")),
        ("token", token("\"ip\": null"), 400, "field_of_wrong_type", Some("ip")),
        ("token", token("\"referer\": \"https://demo.example.de\""), 400, "referer_malformed", Some("referer")),
        ("token", token("\"referer\": \"demo.example.de/path\""), 400, "referer_malformed", Some("referer")),
        ("token", token("\"referer\": \"demo.example.de:443\""), 400, "referer_malformed", Some("referer")),
        ("token", token("\"referer\": \"*.example.de\""), 400, "referer_malformed", Some("referer")),
        ("token", token("\"referer\": 7"), 400, "field_of_wrong_type", Some("referer")),
        ("token", token("\"tag\": \"a\\u0000b\""), 400, "tag_malformed", Some("tag")),
        ("token", token(&long_tag), 400, "tag_malformed", Some("tag")),
        ("token", token("\"tag\": false"), 400, "field_of_wrong_type", Some("tag")),
        ("token", token("\"options\": 9"), 400, "field_unknown", Some("options")),
        ("token", token("\"Expires\": \"1591747200\""), 400, "field_unknown", Some("Expires")),
        ("token", token("\"secret\": \"a secret of the demo\""), 400, "field_unknown", Some("secret")),
        ("token", token("\"tag\": \"a\", \"tag\": \"a\""), 400, "field_repeated", Some("tag")),
        ("token", token("\"expires\": \"\", \"expires\": \"1591747200\""), 400, "field_repeated", Some("expires")),
        ("token", "{\"streamname\": \"OTHER-demo\"}".into(), 403, "other_organisation", Some("streamname")),
        ("token", "{\"streamname\": \"abcde-demo\"}".into(), 403, "other_organisation", Some("streamname")),
        ("token", "{\"orga\": \"OTHER\"}".into(), 403, "other_organisation", Some("orga")),
        ("token", "{\"orga\": \"ABCD\"}".into(), 403, "other_organisation", Some("orga")),
        ("token", "{\"streamname\": \"ABCDE-never\"}".into(), 404, "not_registered", Some("streamname")),
        ("revoke", String::new(), 400, "body_malformed", None),
        ("revoke", "{}".into(), 400, "nothing_to_revoke", None),
        ("revoke", "{\"secret\": \"x\"}".into(), 400, "field_unknown", Some("secret")),
        ("revoke", "{\"tag\": \"a\", \"tag\": \"b\"}".into(), 400, "field_repeated", Some("tag")),
        ("revoke", "{\"streamname\": \"\", \"tag\": \"a\"}".into(), 400, "streamname_malformed", Some("streamname")),
        ("revoke", "{\"orga\": \"\"}".into(), 400, "orga_malformed", Some("orga")),
        ("revoke", "{\"kid\": \"\"}".into(), 400, "kid_malformed", Some("kid")),
        ("revoke", "{\"kid\": \"001FA0FF\"}".into(), 400, "kid_malformed", Some("kid")),
        ("revoke", "{\"kid\": 7}".into(), 400, "field_of_wrong_type", Some("kid")),
        ("revoke", "{\"tag\": \"\"}".into(), 400, "tag_malformed", Some("tag")),
        ("revoke", "{\"tag\": null}".into(), 400, "field_of_wrong_type", Some("tag")),
        ("revoke", "{\"ip\": \"\"}".into(), 400, "ip_malformed", Some("ip")),
        ("revoke", "{\"ip\": \"192.0.2.0/24\"}".into(), 400, "ip_malformed", Some("ip")),
        ("revoke", "{\"streamname\": \"OTHER-demo\"}".into(), 403, "other_organisation", Some("streamname")),
        ("revoke", "{\"streamname\": \"ABCDE-demo\", \"orga\": \"OTHER\"}".into(), 403, "other_organisation", Some("orga")),
        ("orga", "{\"orga\": \"ABCDE\"}".into(), 400, "field_missing", Some("secret")),
        ("orga", "{\"orga\": \"ABCDE\", \"secret\": \"fifteen letters\"}".into(), 400, "secret_of_wrong_length", Some("secret")),
        ("orga", "{\"orga\": \"OTHER\", \"secret\": \"a secret of the demo\"}".into(), 403, "other_organisation", Some("orga")),
        ("orga", "{\"streamname\": \"ABCDE-demo\", \"secret\": \"a secret of the demo\"}".into(), 400, "field_unknown", Some("streamname")),
        ("stream", "{}".into(), 400, "field_missing", Some("streamname")),
        ("stream", "{\"streamname\": \"ABCDE-demo\"}".into(), 400, "field_missing", Some("secret")),
        ("stream", secret("\"\""), 400, "secret_of_wrong_length", Some("secret")),
        ("stream", secret("\"fifteen letters\""), 400, "secret_of_wrong_length", Some("secret")),
        ("stream", secret(&format!("\"{}\"", "x".repeat(257))), 400, "secret_of_wrong_length", Some("secret")),
        ("stream", secret("1234567890123456"), 400, "field_of_wrong_type", Some("secret")),
        ("stream", secret("null"), 400, "field_of_wrong_type", Some("secret")),
        ("stream", secret("\"a secret of the demo\", \"tag\": \"x\""), 400, "field_unknown", Some("tag")),
        ("stream", secret("\"a secret of the demo\", \"secret\": \"another secret of it\""), 400, "field_repeated", Some("secret")),
        ("stream", "{\"streamname\": \"OTHER-demo\", \"secret\": \"a secret of the demo\"}".into(), 403, "other_organisation", Some("streamname")),
    ];
    for (what, body, status, code, field) in rows {
        let reply = api.post_text(what, &body).await;
        let expected = (status, code.to_owned(), field.map(str::to_owned));
        assert_eq!(reply.refusal(), expected, "{what} {body}");
    }
    let reply = api
        .post_text("token", &token("\"expires\": 1591747200000"))
        .await;
    assert!(reply.text.contains("SECONDS"), "{}", reply.text);
    // Nothing of that has changed what is registered.
    let scope = Scope::Stream(StreamName::parse("OTHER-demo").unwrap());
    let other = look_up(&api.records, &scope, Secret::new(SECRET).unwrap().kid()).await;
    assert!(matches!(other, KeyLookup::Unknown));
}

#[tokio::test]
async fn requests_that_are_refused_before_their_body() {
    let api = Api::registered().await;
    let good = r#"{"streamname": "ABCDE-demo"}"#;
    let with = |name: &'static str, value: Option<&str>| {
        let mut headers = api.headers();
        match value {
            Some(value) => headers.insert(name, value.parse().unwrap()),
            None => headers.remove(name),
        };
        headers
    };
    let key = "x-bintu-apikey";
    let kind = "content-type";
    let mut two_keys = api.headers();
    two_keys.append(key, "h5l_other".parse().unwrap());
    let almost = api.api_key.reveal().to_lowercase();
    let padded = "h5l_".repeat(100);
    #[rustfmt::skip]
    let rows = vec![
        (Method::POST, "/secure/token", with(key, None), 401, "api_key_missing"),
        (Method::POST, "/secure/token", with(key, Some("")), 401, "api_key_missing"),
        (Method::POST, "/secure/token", two_keys, 401, "api_key_missing"),
        (Method::POST, "/secure/token", with(key, Some("h5l_unknown")), 401, "api_key_unknown"),
        (Method::POST, "/secure/token", with(key, Some(&almost)), 401, "api_key_unknown"),
        (Method::POST, "/secure/token", with(key, Some(&padded)), 401, "api_key_unknown"),
        (Method::POST, "/secure/token", with(kind, None), 415, "content_type_not_json"),
        (Method::POST, "/secure/token", with(kind, Some("text/plain")), 415, "content_type_not_json"),
        (Method::POST, "/secure/token", with(kind, Some("application/x-www-form-urlencoded")), 415, "content_type_not_json"),
        (Method::POST, "/secure/token", with(kind, Some("application/json; charset=utf-16")), 415, "content_type_not_json"),
        (Method::POST, "/secure/token", with(kind, Some("application/jsonp")), 415, "content_type_not_json"),
        (Method::GET, "/secure/token", api.headers(), 405, "method_not_allowed"),
        (Method::PUT, "/secure/stream", api.headers(), 405, "method_not_allowed"),
        (Method::OPTIONS, "/secure/token", api.headers(), 405, "method_not_allowed"),
        (Method::GET, "/secure/revoke", api.headers(), 405, "method_not_allowed"),
        (Method::DELETE, "/secure/token", api.headers(), 405, "method_not_allowed"),
        (Method::DELETE, "/secure/stream", api.headers(), 405, "method_not_allowed"),
        (Method::DELETE, "/secure/stream/", api.headers(), 404, "no_such_path"),
        (Method::DELETE, "/secure/stream/ABCDE-demo/", api.headers(), 404, "no_such_path"),
        (Method::DELETE, "/secure/stream/ABCDE-demo", with(key, None), 401, "api_key_missing"),
        (Method::DELETE, "/secure/stream/OTHER-demo", with(key, Some("h5l_unknown")), 401, "api_key_unknown"),
        (Method::DELETE, "/secure/orga", with(key, Some("h5l_unknown")), 401, "api_key_unknown"),
        (Method::POST, "/secure/revoke", with(key, Some("h5l_unknown")), 401, "api_key_unknown"),
        (Method::POST, "/secure/token/", api.headers(), 404, "no_such_path"),
        (Method::POST, "/secure//token", api.headers(), 404, "no_such_path"),
        (Method::POST, "/secure/%74oken", api.headers(), 404, "no_such_path"),
        (Method::POST, "/secure/x/../token", api.headers(), 404, "no_such_path"),
        (Method::POST, "/secure/token;x", api.headers(), 404, "no_such_path"),
        (Method::POST, "/SECURE/TOKEN", api.headers(), 404, "no_such_path"),
    ];
    for (method, path, headers, status, code) in rows {
        let reply = api
            .send(&method, path, &headers, good, NOW, "192.0.2.1")
            .await;
        assert_eq!(
            reply.refusal(),
            (status, code.to_owned(), None),
            "{method} {path} {headers:?}"
        );
        assert_eq!(
            reply.headers.get("allow").map(|value| value == "POST"),
            (status == 405).then_some(true)
        );
        assert_eq!(
            reply.headers.contains_key("www-authenticate"),
            status == 401
        );
    }
    for kind_of_json in [
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
    ] {
        let headers = with(kind, Some(kind_of_json));
        let reply = api
            .send(
                &Method::POST,
                "/secure/token",
                &headers,
                good,
                NOW,
                "192.0.2.1",
            )
            .await;
        assert_eq!(reply.status, 200, "{kind_of_json}");
    }
}

#[tokio::test]
async fn who_has_no_key_learns_nothing_of_streams() {
    let api = Api::registered().await;
    let mut headers = api.headers();
    headers.insert("x-bintu-apikey", "h5l_guess".parse().unwrap());
    let mut replies = Vec::new();
    for body in [
        r#"{"streamname": "ABCDE-demo"}"#,
        r#"{"streamname": "ABCDE-never"}"#,
        r#"{"streamname": "OTHER-demo"}"#,
        r#"{"orga": "NOSUCH"}"#,
        "not even JSON",
    ] {
        replies.push(
            api.send(
                &Method::POST,
                "/secure/token",
                &headers,
                body,
                NOW,
                "192.0.2.1",
            )
            .await
            .text,
        );
    }
    assert!(
        replies.iter().all(|reply| *reply == replies[0]),
        "{replies:?}"
    );
}

#[tokio::test]
async fn a_body_has_at_most_16_kib() {
    let api = Api::registered().await;
    let start = r#"{"streamname": "ABCDE-demo"}"#;
    let exact = format!("{start}{}", " ".repeat(BODY_LIMIT - start.len()));
    assert_eq!(api.post_text("token", &exact).await.status, 200);
    let reply = api.post_text("token", &format!("{exact} ")).await;
    assert_eq!(reply.refusal(), (413, "body_too_large".into(), None));
}

#[tokio::test]
async fn who_fails_too_often_waits() {
    let limits = FailureLimits {
        burst: 3,
        recovery_seconds: 10,
        entries: 100,
    };
    let api = Api::with(limits).await;
    api.register(SECRET).await;
    let good = r#"{"streamname": "ABCDE-demo"}"#;
    let token = "/secure/token";
    let mut guess = api.headers();
    guess.insert("x-bintu-apikey", "h5l_guess".parse().unwrap());

    // Guesses count against their address, whatever key is sent next from there.
    for _ in 0..3 {
        let reply = api
            .send(&Method::POST, token, &guess, good, NOW, "192.0.2.66")
            .await;
        assert_eq!(reply.status, 401);
    }
    for headers in [&guess, &api.headers()] {
        let reply = api
            .send(&Method::POST, token, headers, good, NOW, "192.0.2.66")
            .await;
        assert_eq!(reply.refusal(), (429, "too_many_failures".into(), None));
        assert_eq!(reply.headers["retry-after"], "10");
    }
    let reply = api
        .send(&Method::GET, "/secure/x", &guess, good, NOW, "192.0.2.66")
        .await;
    assert_eq!(reply.status, 429);
    let later = UnixSeconds(NOW.0 + 10);
    let reply = api
        .send(
            &Method::POST,
            token,
            &api.headers(),
            good,
            later,
            "192.0.2.66",
        )
        .await;
    assert_eq!(reply.status, 200);

    // A proven key's refusals count against the key, from wherever they come, and not the address.
    for last in 1..=3 {
        let peer = format!("192.0.2.{last}");
        let reply = api
            .send(&Method::POST, token, &api.headers(), "{}", NOW, &peer)
            .await;
        assert_eq!(reply.status, 400);
    }
    let reply = api
        .send(&Method::POST, token, &api.headers(), good, NOW, "192.0.2.4")
        .await;
    assert_eq!(reply.status, 429);
    let reply = api
        .send(&Method::POST, token, &guess, good, NOW, "192.0.2.1")
        .await;
    assert_eq!(reply.status, 401);

    // Good requests cost nothing.
    for _ in 0..20 {
        let reply = api
            .send(
                &Method::POST,
                token,
                &api.headers(),
                good,
                UnixSeconds(NOW.0 + 60),
                "192.0.2.4",
            )
            .await;
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn without_records_it_fails_closed() {
    let limits = FailureLimits {
        burst: 1,
        recovery_seconds: 10,
        entries: 100,
    };
    let api = Api::with(limits).await;
    api.records.close().await;
    for body in [
        r#"{"streamname": "ABCDE-demo"}"#,
        "{}",
        r#"{"orga": "ABCDE"}"#,
    ] {
        let reply = api.post_text("token", body).await;
        assert_eq!(
            reply.refusal(),
            (503, "records_unavailable".into(), None),
            "{body}"
        );
    }
}
