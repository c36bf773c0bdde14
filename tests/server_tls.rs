//! HTTPS and WSS: with the certificate that the server makes on the spot, and with one from files.
//!
//! Elsewhere: a certificate that is replaced while the server runs (`transport_tls.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use browser::Browser;
use h5live::token::{Claims, Scope, Secret, StreamName, mint};
use support::origin::Origin;
use support::publisher::{self, Publisher};
use support::server::{Options, Security, Server};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
const STREAM: &str = "ABCDE-demo";
const SECRET: &str = "the secret behind the certificate";

fn curl(arguments: &[&str]) -> std::process::Output {
    Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*"])
        .args(arguments)
        .output()
        .expect("curl runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_plays_by_https_and_wss_with_a_certificate_made_on_the_spot() {
    let origin = Origin::start();
    let server = Server::start(&Options {
        tls: true,
        ..Options::with_origin(&origin.url("live"))
    });
    let _publisher = Publisher::start(&origin, STREAM, &publisher::Options::default());
    let body = format!(r#"{{"streamname": "{STREAM}", "secret": "{SECRET}"}}"#);
    let key = format!("X-BINTU-APIKEY: {}", server.api_key());
    let url = format!("{}/secure/stream", server.base());
    let json = "Content-Type: application/json";
    let registered = curl(&["--insecure", "-H", json, "-H", &key, "-d", &body, &url]);
    assert_eq!(
        String::from_utf8_lossy(&registered.stdout).trim(),
        format!(r#"{{"streamname":"{STREAM}"}}"#),
        "{registered:?}"
    );

    let stream = StreamName::parse(STREAM).unwrap();
    let key = Secret::new(SECRET.as_bytes()).unwrap().key();
    let token = Security::from(mint(&key, &Claims::of(Scope::Stream(stream))));
    let browser = Browser::open(browser::Options {
        accept_any_certificate: true,
        ..browser::Options::default()
    })
    .await;
    let page = server.page_url(&server.base(), &origin.url("live"), STREAM, &token);
    browser.goto(&page).await;
    let plays = "h5live.snapshot().currentTime > 1 && h5live.snapshot().framesDecoded > 20";
    browser.wait_until(plays, PATIENCE).await;
    assert_eq!(server.websocket().split(':').next(), Some("wss"));
}

#[test]
fn certificate_files_are_used_and_nothing_is_told_in_clear_text() {
    let directory = TempDir::new().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = directory.path().join("certificate.pem");
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    let key = directory.path().join("key.pem");
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = Server::start(&Options {
        certificate: Some((certificate.clone(), key)),
        tls: true,
        ..Options::default()
    });
    let healthz = format!("{}/healthz", server.base());
    let trusted = certificate.to_str().unwrap();
    for version in ["--tlsv1.3", "--tls-max"] {
        let mut arguments = vec!["--cacert", trusted, version];
        if version == "--tls-max" {
            arguments.push("1.2");
        }
        let answer = curl(&[&arguments[..], &[&healthz]].concat());
        assert_eq!(answer.stdout, b"ok\n", "{version}: {answer:?}");
    }
    let unknown = curl(&[&healthz]);
    assert!(!unknown.status.success(), "nobody vouches for it");

    // A request in clear text gets an alert or nothing, but no HTTP.
    let mut tcp = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut tcp, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut tcp, &mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}
