//! HTTP/2 over TLS: HLS by it, the rules of HTTP/1.1 that hold alike, and its bounds.
//!
//! Not covered: what the h2 crate refuses by itself (frames out of order, floods of them).
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use h5live::token::{Claims, Scope, Secret, StreamName, mint};
use http::{Method, Request};
use support::https::{Pair, curl, der, register};
use support::origin::Origin;
use support::process::{PATIENCE, wait_until};
use support::publisher::{self, Publisher};
use support::server::{Options, Security, Server};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const STREAM: &str = "ABCDE-demo";
const SECRET: &str = "the secret of these frames";

fn token(ip: Option<&str>) -> Security {
    let stream = StreamName::parse(STREAM).unwrap();
    let key = Secret::new(SECRET.as_bytes()).unwrap().key();
    let mut claims = Claims::of(Scope::Stream(stream));
    claims.ip = ip.map(|ip| ip.parse().unwrap());
    Security::from(mint(&key, &claims))
}

/// The playlist's URL, by way of the WebSocket's.
fn playlist(server: &Server, origin: &Origin, token: &Security) -> String {
    server
        .websocket_url(&origin.url("live"), STREAM, token)
        .replacen("wss", "https", 1)
        .replacen("/h5live/authstream", "/h5live/authhttp/playlist.m3u8", 1)
}

#[test]
fn hls_plays_by_http_2_and_by_http_1_1_with_the_same_rules() {
    let origin = Origin::start();
    let server = Server::start(&Options {
        tls: true,
        server: "trusted-proxies = [\"127.0.0.3\"]\n".to_owned(),
        ..Options::with_origin(&origin.url("live"))
    });
    let _publisher = Publisher::start(&origin, STREAM, &publisher::Options::default());
    register(&server, STREAM, SECRET);
    for (flag, version) in [("--http2", "HTTP/2"), ("--http1.1", "HTTP/1.1")] {
        let url = playlist(&server, &origin, &token(None));
        let list = wait_until("a playlist", || {
            let list = curl(&[flag, &url]);
            (list.status == 200).then_some(list)
        });
        assert_eq!(list.version, version);
        let text = list.text();
        let base = url.split("playlist.m3u8").next().unwrap();
        let map = text.split("EXT-X-MAP:URI=\"").nth(1).unwrap();
        let part = text.rsplit("EXT-X-PART:").next().unwrap();
        let part = part.split("URI=\"").nth(1).unwrap();
        for uri in [map, part] {
            let uri = uri.split('"').next().unwrap();
            let media = curl(&[flag, &format!("{base}{uri}")]);
            assert_eq!(
                (media.status, media.version.as_str()),
                (200, version),
                "{uri}"
            );
            assert_eq!(
                &media.body[4..8],
                if uri.contains("init") {
                    b"ftyp"
                } else {
                    b"moof"
                }
            );
        }
        assert_eq!(curl(&[flag, &format!("{base}no/such.mp4")]).status, 404);

        // Who stands behind a proxy is told by the same header, and by nobody else's.
        let far = playlist(&server, &origin, &token(Some("203.0.113.9")));
        let header = "X-Forwarded-For: 203.0.113.9";
        let proxy = curl(&[flag, "--interface", "127.0.0.3", "-H", header, &far]);
        assert_eq!(proxy.status, 200, "{flag} {proxy:?}");
        let liar = curl(&[flag, "--interface", "127.0.0.2", "-H", header, &far]);
        assert_eq!(liar.status, 403, "{flag} {liar:?}");
    }
    let page = curl(&["--http2", &format!("{}/", server.base())]);
    assert_eq!((page.status, page.version.as_str()), (200, "HTTP/2"));
}

struct Site {
    server: Server,
    directory: TempDir,
}

impl Site {
    fn start(limits: &str) -> Site {
        let directory = TempDir::new().unwrap();
        let pair = Pair::write(directory.path());
        let server = Server::start(&Options {
            tls: true,
            certificate: Some((pair.certificate, pair.key)),
            more: format!("[limits]\n{limits}"),
            ..Options::default()
        });
        Site { server, directory }
    }

    async fn connect(&self, alpn: &[&str]) -> TlsStream<TcpStream> {
        let trusted = der(&self.directory.path().join("certificate.pem"));
        let connector = TlsConnector::from(Pair::client(&[&trusted], alpn));
        let tcp = TcpStream::connect(("127.0.0.1", self.server.port()))
            .await
            .unwrap();
        let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
        connector.connect(name, tcp).await.unwrap()
    }

    async fn http2(
        &self,
    ) -> (
        h2::client::SendRequest<bytes::Bytes>,
        h2::client::Connection<TlsStream<TcpStream>>,
    ) {
        let tls = self.connect(&["h2", "http/1.1"]).await;
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        h2::client::handshake(tls).await.unwrap()
    }
}

fn get(uri: &str) -> http::request::Builder {
    Request::builder().method(Method::GET).uri(uri)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_could_be_read_in_two_ways_are_refused() {
    let site = Site::start("");
    let (send, connection) = site.http2().await;
    tokio::spawn(connection);
    let rows: Vec<(&str, http::request::Builder, &str)> = vec![
        ("as it should be", get("https://a/healthz"), "200"),
        (
            "Host that agrees",
            get("https://a/healthz").header("host", "A"),
            "200",
        ),
        (
            "Host that differs",
            get("https://a/healthz").header("host", "b"),
            "400",
        ),
        (
            "two Hosts",
            get("https://a/healthz")
                .header("host", "a")
                .header("host", "a"),
            "400",
        ),
        (
            "CONNECT",
            Request::builder().method("CONNECT").uri("a:443"),
            "400",
        ),
        (
            "WebSocket's door",
            get("https://a/h5live/authstream"),
            "426",
        ),
        ("nothing there", get("https://a/nothing"), "404"),
        ("absolute within", get("https://a/https://b/healthz"), "404"),
        (
            "of HTTP/1.1",
            get("https://a/healthz").header("transfer-encoding", "chunked"),
            "broken",
        ),
        (
            "another of HTTP/1.1",
            get("https://a/healthz").header("connection", "close"),
            "broken",
        ),
    ];
    for (name, request, expected) in rows {
        let mut send = send.clone().ready().await.unwrap();
        let request = request.version(http::Version::HTTP_2).body(()).unwrap();
        let found = match send.send_request(request, true) {
            Ok((response, _)) => response.await.map_or("broken".to_owned(), |answer| {
                answer.status().as_str().to_owned()
            }),
            // Such a request the client itself does not send.
            Err(_) => "broken".to_owned(),
        };
        assert_eq!(found, expected, "{name}");
    }
    let mut send = send.ready().await.unwrap();
    assert!(!send.is_extended_connect_protocol_enabled());
    let long = get("https://a/healthz").header("x", "y".repeat(40_000));
    let (response, _) = send.send_request(long.body(()).unwrap(), true).unwrap();
    let outcome = response.await.map(|answer| answer.status().as_u16());
    assert!(
        !matches!(outcome, Ok(200)),
        "a head past its bound: {outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_idle_connections_are_bounded() {
    let site = Site::start(
        "max-http2-streams = 7\nhttp2-idle-timeout = \"500ms\"\nhandshake-timeout = \"500ms\"\n",
    );
    let (send, mut connection) = site.http2().await;
    let mut send = send;
    let (response, _) = send
        .send_request(get("https://a/healthz").body(()).unwrap(), true)
        .unwrap();
    let response = tokio::select! {
        response = response => response.unwrap(),
        ended = &mut connection => panic!("{ended:?}"),
    };
    assert_eq!(response.status(), 200);
    assert_eq!(connection.max_concurrent_send_streams(), 7);
    // It is closed although the client would go on.
    let since = Instant::now();
    let ended = tokio::time::timeout(PATIENCE, connection).await;
    assert!(ended.is_ok(), "an idle connection stays");
    assert!(since.elapsed() >= Duration::from_millis(300));
    drop(send);

    // One that never says a word of HTTP/2.
    let mut tls = site.connect(&["h2"]).await;
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut tls, &mut rest);
    let ended = tokio::time::timeout(PATIENCE, read).await;
    assert!(ended.is_ok(), "a silent connection stays");
}
