//! An issuer over fresh records, and requests to it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h5live::issuer::{FailureLimits, Issuer};
use h5live::records::{ApiKey, NewAccount, Records, Sqlite, StoreSettings, look_up};
use h5live::token::{
    Denial, Facts, Grant, Host, Orga, Parameters, Presented, Query, Secret, StreamName, UnixSeconds,
};
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

/// Before the seed's example, 1591747200 = 2020-06-10, by 30 days.
pub const NOW: UnixSeconds = UnixSeconds(1_591_747_200 - 30 * 86_400);
pub const SECRET: &str = "a secret of the demo";
pub const OTHER_SECRET: &str = "another secret of it";

pub struct Api {
    pub issuer: Issuer,
    pub records: Sqlite,
    pub api_key: ApiKey,
    _directory: tempfile::TempDir,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Status, code and field of a refusal, whose form is checked on the way.
    pub fn refusal(&self) -> (u16, String, Option<String>) {
        let json = self.json();
        let error = json["error"].as_object().expect(&self.text);
        let keys: Vec<&str> = error.keys().map(String::as_str).collect();
        assert_eq!(keys, ["code", "field", "message"], "{}", self.text);
        assert!(error["message"].as_str().unwrap().len() > 10);
        let field = error["field"].as_str().map(str::to_owned);
        (
            self.status.as_u16(),
            error["code"].as_str().unwrap().to_owned(),
            field,
        )
    }
}

impl Api {
    /// Organisations `ABCDE` and `OTHER`; the key is of the former.
    pub async fn new() -> Self {
        let limits = FailureLimits {
            burst: 1_000,
            recovery_seconds: 10,
            entries: 100,
        };
        Self::with(limits).await
    }

    pub async fn with(limits: FailureLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = StoreSettings {
            connections: 2,
            timeout: Duration::from_secs(30),
            ..StoreSettings::default()
        };
        let records = Sqlite::open(&directory.path().join("r.sqlite"), &settings)
            .await
            .unwrap();
        let api_key = ApiKey::of_random([7; 32]);
        for (orga, hash) in [
            ("ABCDE", api_key.hash()),
            ("OTHER", ApiKey::of_random([8; 32]).hash()),
        ] {
            let orga_key = Secret::new(format!("secret of orga {orga}")).unwrap().key();
            let orga = Orga::parse(orga).unwrap();
            let account = NewAccount {
                orga,
                api_key: hash,
                orga_key,
                created: NOW,
            };
            records.create_account(&account).await.unwrap();
        }
        let issuer = Issuer::new(Arc::new(records.clone()), limits);
        Self {
            issuer,
            records,
            api_key,
            _directory: directory,
        }
    }

    pub async fn registered() -> Self {
        let api = Self::new().await;
        api.register(SECRET).await;
        api
    }

    pub async fn register(&self, secret: &str) {
        let reply = self
            .post(
                "stream",
                &json!({"streamname": "ABCDE-demo", "secret": secret}),
            )
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.json(), json!({"streamname": "ABCDE-demo"}));
    }

    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("x-bintu-apikey", self.api_key.reveal().parse().unwrap());
        headers
    }

    pub async fn post(&self, what: &str, body: &Value) -> Reply {
        self.post_text(what, &body.to_string()).await
    }

    pub async fn post_text(&self, what: &str, body: &str) -> Reply {
        let path = format!("/secure/{what}");
        self.send(
            &Method::POST,
            &path,
            &self.headers(),
            body,
            NOW,
            "192.0.2.1",
        )
        .await
    }

    pub async fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &str,
        now: UnixSeconds,
        peer: &str,
    ) -> Reply {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let peer: IpAddr = peer.parse().unwrap();
        let response = self
            .issuer
            .handle(method, path, headers, body, now, peer)
            .await;
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(head.headers["cache-control"], "no-store");
        assert_eq!(head.headers["content-type"], "application/json");
        assert!(
            !head
                .headers
                .keys()
                .any(|name| name.as_str().starts_with("access-control-"))
        );
        for secret in [SECRET, OTHER_SECRET, self.api_key.reveal()] {
            assert!(!text.contains(secret), "a secret is in {text}");
        }
        Reply {
            status: head.status,
            headers: head.headers,
            text,
        }
    }

    /// Verifies as a door does, for a viewer at 192.0.2.7 on the seed's page.
    pub async fn verify(&self, stream: &str, security: &Value) -> Result<Grant, Denial> {
        let text = |key: &str| security[key].as_str().unwrap().to_owned();
        let query = Query::parse(&format!(
            "expires={}&tag={}&token={}&options={}",
            text("expires"),
            text("tag"),
            text("token"),
            security["options"].as_u64().unwrap()
        ));
        let parameters = Parameters::from_query(&query.unwrap()).unwrap();
        let presented = Presented::read(&parameters, &StreamName::parse(stream).unwrap())?;
        let key = look_up(&self.records, presented.scope(), presented.kid()).await;
        let facts = Facts {
            ip: "192.0.2.7".parse().unwrap(),
            referer: Some(Host::bare("demo.nanocosmos.de").unwrap()),
        };
        presented.verify(key, &facts, NOW, 0)
    }
}
