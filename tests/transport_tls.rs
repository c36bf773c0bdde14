//! What goes with HTTPS: certificates that are replaced while sessions play, the redirect from HTTP,
//! and Strict-Transport-Security.
//!
//! Elsewhere: which hosts are redirected, in a table beside the code (`src/http/redirect.rs`); TLS as
//! such (`server_tls.rs`).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::time::Instant;

use h5live::token::{Claims, Scope, Secret, StreamName, mint};
use rustls::pki_types::CertificateDer;
use support::https::{Pair, Tls, connect, curl, register, run_curl};
use support::origin::Origin;
use support::process::{PATIENCE, wait_until};
use support::publisher::{self, Publisher};
use support::server::{Options, Security, Server};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

const STREAM: &str = "ABCDE-demo";
const SECRET: &str = "the secret behind the change";

fn token() -> Security {
    let key = Secret::new(SECRET.as_bytes()).unwrap().key();
    let stream = StreamName::parse(STREAM).unwrap();
    Security::from(mint(&key, &Claims::of(Scope::Stream(stream))))
}

/// The next so many messages with media.
fn media(viewer: &mut WebSocket<Tls>, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = 0;
    while seen < count {
        assert!(Instant::now() < deadline, "{seen} of {count}");
        match viewer.read().unwrap() {
            Message::Binary(_) => seen += 1,
            Message::Close(close) => panic!("the session ends: {close:?}"),
            _ => {}
        }
    }
}

/// The certificate that a new handshake gets; `trusted` are those that may be.
fn presented(server: &Server, trusted: &[&CertificateDer<'static>]) -> CertificateDer<'static> {
    let tls = connect(server.port(), &Pair::client(trusted, &[])).unwrap();
    tls.conn.peer_certificates().unwrap()[0].clone()
}

#[test]
fn a_session_plays_on_while_the_certificate_is_replaced() {
    let directory = TempDir::new().unwrap();
    let old = Pair::write(directory.path());
    let origin = Origin::start();
    let server = Server::start(&Options {
        tls: true,
        certificate: Some((old.certificate.clone(), old.key.clone())),
        ..Options::with_origin(&origin.url("live"))
    });
    let _publisher = Publisher::start(&origin, STREAM, &publisher::Options::default());
    register(&server, STREAM, SECRET);
    let url = server.websocket_url(&origin.url("live"), STREAM, &token());
    let tls = connect(server.port(), &Pair::client(&[&old.der], &["http/1.1"])).unwrap();
    let (mut viewer, _) = tungstenite::client(url, tls).unwrap();
    media(&mut viewer, 10);

    let new = Pair::write(directory.path());
    let either = [&old.der, &new.der];
    wait_until("the new certificate", || {
        (presented(&server, &either) == new.der).then_some(())
    });
    media(&mut viewer, 60);

    // A key that belongs to another certificate, and then no key at all.
    let stranger = TempDir::new().unwrap();
    let other = Pair::write(stranger.path());
    let complaints = || {
        server
            .log()
            .matches("the old certificate stays in use")
            .count()
    };
    assert_eq!(complaints(), 0, "{}", server.log());
    for key in [fs::read_to_string(&other.key).unwrap(), "no key".to_owned()] {
        let before = complaints();
        fs::write(&new.key, key).unwrap();
        wait_until("a complaint", || (complaints() > before).then_some(()));
        assert_eq!(presented(&server, &either), new.der);
    }
    media(&mut viewer, 60);

    let last = Pair::write(directory.path());
    let all = [&old.der, &new.der, &last.der];
    wait_until("the last certificate", || {
        (presented(&server, &all) == last.der).then_some(())
    });
    media(&mut viewer, 60);
    for line in fs::read_to_string(&other.key).unwrap().lines() {
        assert!(!server.log().contains(line), "a key is logged");
    }
}

#[test]
fn http_leads_to_https_and_browsers_may_be_told_to_stay() {
    let server = Server::start(&Options {
        tls: true,
        https: "redirect = \"127.0.0.1:0\"\nhsts = \"180d\"\n".to_owned(),
        ..Options::default()
    });
    let redirect = server.port_beside("redirecting from http://");
    let plain = format!("http://127.0.0.1:{redirect}/healthz?token=a%20b");
    let answer = curl(&[&plain]);
    let to = format!("{}/healthz?token=a%20b", server.base());
    assert_eq!(answer.status, 308);
    assert_eq!(answer.header("location"), Some(to.as_str()));
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    assert_eq!(answer.header("strict-transport-security"), None);
    let posted = curl(&["-d", "{}", &plain]);
    assert_eq!(posted.status, 308, "a method that stays what it is");
    let followed = run_curl(&["--location", &plain]);
    assert_eq!(followed.stdout, b"ok\n", "{followed:?}");
    for host in [
        "evil.com",
        "127.0.0.1@evil.com",
        "127.0.0.1:x",
        "localhost/",
        "",
    ] {
        let answer = curl(&["-H", &format!("Host: {host}"), &plain]);
        assert!([400, 421].contains(&answer.status), "{host}: {answer:?}");
        assert_eq!(answer.header("location"), None, "{host}");
    }
    for flag in ["--http2", "--http1.1"] {
        let answer = curl(&[flag, &format!("{}/nothing", server.base())]);
        let told = answer.header("strict-transport-security");
        assert_eq!((answer.status, told), (404, Some("max-age=15552000")));
    }
    assert!(!server.log().contains("a%20b"), "{}", server.log());

    let quiet = Server::start(&Options {
        tls: true,
        ..Options::default()
    });
    let answer = curl(&[&format!("{}/healthz", quiet.base())]);
    assert_eq!(answer.header("strict-transport-security"), None);
}
