//! `GET /secure/verify`: whom it believes, what it answers, and nginx, HAProxy and Envoy in front of files and
//! of a cache with the configurations in `examples/nginx`, `examples/haproxy` and `examples/envoy`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/page_host.rs"]
mod page_host;
mod support;

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use page_host::PageHost;
use serde_json::{Value, json};
use support::process::{Process, accepts, free_port};
use support::raw::Raw;
use support::server::{Options, Security, Server};
use tempfile::TempDir;
use url::form_urlencoded::Serializer;

const STREAM: &str = "ABCDE-demo";
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn server(lines: &str, more: &str) -> Server {
    let server = Server::start(&Options {
        server: lines.to_owned(),
        more: more.to_owned(),
        ..Options::default()
    });
    server.register(STREAM, "the secret of these files");
    server
}

fn mint(server: &Server, mut wish: Value) -> Security {
    wish["streamname"] = json!(STREAM);
    server.mint(&wish)
}

fn query(token: &Security) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(token.pairs());
    query.finish()
}

/// Status and code.
fn ask(server: &Server, from: Ipv4Addr, headers: &str) -> String {
    let mut client = Raw::connect_from(from, server.port());
    let head = format!("GET /secure/verify HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    client.send(head.as_bytes());
    let answer = client.answer().expect("an answer");
    let code = answer.header("x-h5live-code").unwrap_or_default();
    format!("{} {code}", answer.status).trim().to_owned()
}

#[test]
fn a_trusted_proxys_word_is_verified_and_nobody_elses() {
    let server = server("trusted-proxies = [\"127.0.0.1/32\"]", "");
    let demo = format!("X-Original-URI: /f?stream={STREAM}&");
    let any = format!("{demo}{}\r\n", query(&mint(&server, json!({}))));
    let address = query(&mint(&server, json!({"ip": "203.0.113.9"})));
    let page = query(&mint(&server, json!({"referer": "demo.example.test"})));
    let pathless = query(&mint(&server, json!({"tag": "a"})));
    let from = "X-Forwarded-For: 203.0.113.9\r\n";
    let origin = "Origin: https://demo.example.test\r\n";
    let evil = "Origin: https://evil.example.test\r\n";
    let referer = "Referer: https://demo.example.test/page\r\n";
    let rows: Vec<(&str, String, &str)> = vec![
        ("a token", format!("{any}{from}"), "204"),
        ("no client", any.clone(), "403 4400"),
        ("no request", from.to_owned(), "403 4400"),
        ("two requests", format!("{any}{any}{from}"), "403 4400"),
        ("no token", format!("{demo}\r\n{from}"), "403 4903"),
        ("its address", format!("{demo}{address}\r\n{from}"), "204"),
        (
            "another address",
            format!("{demo}{address}\r\nX-Forwarded-For: 203.0.113.8\r\n"),
            "403 4901",
        ),
        (
            "an address that the client claims",
            format!("{demo}{address}\r\nX-Forwarded-For: 203.0.113.9, 203.0.113.8\r\n"),
            "403 4901",
        ),
        ("its page", format!("{demo}{page}\r\n{from}{origin}"), "204"),
        (
            "its page, by Referer",
            format!("{demo}{page}\r\n{from}{referer}"),
            "204",
        ),
        ("no page", format!("{demo}{page}\r\n{from}"), "403 4901"),
        (
            "another page",
            format!("{demo}{page}\r\n{from}{evil}{referer}"),
            "403 4901",
        ),
        (
            "the proxy names the stream",
            format!("X-Original-URI: /f?{pathless}\r\nX-H5Live-Stream: {STREAM}\r\n{from}"),
            "204",
        ),
        (
            "both name it",
            format!("{demo}{pathless}\r\nX-H5Live-Stream: {STREAM}\r\n{from}"),
            "204",
        ),
        (
            "the proxy names another stream",
            format!("X-Original-URI: /f?{pathless}\r\nX-H5Live-Stream: ABCDE-other\r\n{from}"),
            "403 4901",
        ),
        (
            "the client names another stream than the proxy",
            format!("{demo}{pathless}\r\nX-H5Live-Stream: ABCDE-other\r\n{from}"),
            "403 4901",
        ),
        (
            "the proxy names no stream that can be",
            format!("{demo}{pathless}\r\nX-H5Live-Stream: a b\r\n{from}"),
            "403 4901",
        ),
    ];
    for (name, headers, expected) in &rows {
        assert_eq!(ask(&server, HERE, headers), *expected, "{name}");
        let stranger = ask(&server, Ipv4Addr::new(127, 0, 0, 2), headers);
        assert_eq!(stranger, "403 4901", "{name}, from no proxy");
    }
    let token = any.split("token=").nth(1).unwrap();
    let token = token.split('&').next().unwrap().trim();
    assert!(!server.log().contains(token), "a token in the log");
}

#[test]
fn the_headers_have_the_names_that_the_operator_gives_them() {
    let names = "[verify]\nuri-header = \"X-Forwarded-Uri\"\naddress-header = \"X-Client\"\n\
                 origin-header = \"X-Page\"\nreferer-header = \"X-From\"\nstream-header = \"X-S\"\n";
    let server = server("trusted-proxies = [\"127.0.0.1/32\"]", names);
    let token = mint(
        &server,
        json!({"ip": "203.0.113.9", "referer": "demo.example.test"}),
    );
    let told = format!(
        "X-Forwarded-Uri: /f?{}\r\nX-S: {STREAM}\r\nX-Client: 203.0.113.9\r\n",
        query(&token)
    );
    let page = "X-Page: https://demo.example.test\r\n";
    let from = "X-From: https://demo.example.test/\r\n";
    assert_eq!(ask(&server, HERE, &format!("{told}{page}")), "204");
    assert_eq!(ask(&server, HERE, &format!("{told}{from}")), "204");
    let usual = "Origin: https://demo.example.test\r\nX-Forwarded-For: 203.0.113.9\r\n";
    assert_eq!(ask(&server, HERE, &format!("{told}{usual}")), "403 4901");
}

/// A web server in front of files.
struct Front {
    port: u16,
    _process: Process,
    _directory: TempDir,
}

impl Front {
    /// nginx with the example's configuration, at other ports and below another root.
    fn nginx(server: &Server, packager: u16) -> Front {
        Front::start("nginx", |directory, port| {
            let at = |name: &str| directory.join(name);
            for stream in [STREAM, "ABCDE-other"] {
                fs::create_dir_all(at("root/files").join(stream)).unwrap();
                fs::write(at("root/files").join(stream).join("1.m4s"), "the file").unwrap();
            }
            let site = include_str!("../examples/nginx/h5live-files.conf")
                .replace("127.0.0.1:8180", &format!("127.0.0.1:{}", server.port()))
                .replace("127.0.0.1:8190", &format!("127.0.0.1:{packager}"))
                .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
                .replace(
                    "root /var/lib/h5live;",
                    &format!("root {};", at("root").display()),
                )
                .replace("h5live-cache ", &format!("{} ", at("cache").display()));
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|name| format!("{name}_temp_path {};\n", at(name).display()))
                .concat();
            let text = format!(
                "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr info;\n\
                 events {{ worker_connections 256; }}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n"
            );
            fs::write(at("nginx.conf"), text).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-p").arg(directory);
            command.arg("-c").arg(at("nginx.conf"));
            command.args(["-e", "stderr"]);
            command
        })
    }

    /// HAProxy likewise; `verdicts` is the port where it asks.
    fn haproxy(verdicts: u16, packager: u16) -> Front {
        Front::start("haproxy", |directory, port| {
            let site = include_str!("../examples/haproxy/haproxy.cfg")
                .replace("127.0.0.1:8190", &format!("127.0.0.1:{packager}"))
                .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
            let script = include_str!("../examples/haproxy/verify.lua")
                .replace("127.0.0.1:8180", &format!("127.0.0.1:{verdicts}"));
            fs::write(directory.join("haproxy.cfg"), site).unwrap();
            fs::write(directory.join("verify.lua"), script).unwrap();
            let mut command = Command::new("haproxy");
            command.args(["-V", "-db", "-C"]).arg(directory);
            command.args(["-f", "haproxy.cfg"]);
            command
        })
    }

    /// Envoy likewise.
    fn envoy(verdicts: u16, packager: u16) -> Front {
        let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/envoy");
        let output = Command::new(fetch).output().expect(".ci/envoy runs");
        assert!(output.status.success(), "{output:?}");
        let program = String::from_utf8(output.stdout).unwrap();
        Front::start("envoy", |directory, port| {
            let site = include_str!("../examples/envoy/envoy.yaml")
                .replace("127.0.0.1:8180", &format!("127.0.0.1:{verdicts}"))
                .replace("port_value: 8180", &format!("port_value: {verdicts}"))
                .replace("port_value: 8190", &format!("port_value: {packager}"))
                .replace("port_value: 8080", &format!("port_value: {port}"));
            fs::write(directory.join("envoy.yaml"), site).unwrap();
            let mut command = Command::new(program.trim());
            command.arg("-c").arg(directory.join("envoy.yaml"));
            // Two may run on one machine.
            command.args(["--use-dynamic-base-id", "--concurrency", "1"]);
            command
        })
    }

    fn start(name: &str, command: impl Fn(&Path, u16) -> Command) -> Front {
        let directory = TempDir::new().unwrap();
        for _ in 0..5 {
            let port = free_port();
            let mut command = command(directory.path(), port);
            let mut process = Process::start(name, &mut command, &directory.path().join("log"));
            let started = process.wait(|log| (!log.is_empty() && accepts(port)).then_some(()));
            match started {
                Ok(()) => {
                    return Front {
                        port,
                        _process: process,
                        _directory: directory,
                    };
                }
                Err(_) if process.log().contains("in use") => {}
                Err(reason) => panic!("{name} {reason}\n{}", process.log()),
            }
        }
        panic!("no port for {name}");
    }

    /// Status, body, and code or cache status.
    fn get(&self, from: Ipv4Addr, target: &str, headers: &str) -> (u16, String, String) {
        let mut client = Raw::connect_from(from, self.port);
        let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        client.send(head.as_bytes());
        let answer = client.answer().expect("an answer");
        let code = answer.header("x-h5live-code").unwrap_or_default();
        let cache = answer.header("x-cache").unwrap_or(code).to_owned();
        (answer.status, answer.body, cache)
    }
}

/// The rows that hold for every web server in front: `place` is a directory of it, `body` what its one
/// file says, `hit` what is told of a file that was served before, `strange` the answer to a path that
/// is no file's.
fn gates(front: &Front, server: &Server, (place, body, hit): (&str, &str, &str), strange: u16) {
    let any = query(&mint(server, json!({})));
    let here = query(&mint(server, json!({"ip": "127.0.0.1"})));
    let page = query(&mint(server, json!({"referer": "demo.example.test"})));
    let referer = "Referer: https://demo.example.test/\r\n";
    let evil = "Referer: https://evil.example.test/\r\n";
    let lie = "X-Forwarded-For: 127.0.0.1\r\nX-H5Live-Client: 127.0.0.1\r\n\
               X-H5Live-Stream: ABCDE-demo\r\nX-Original-URI: /\r\n";
    let other = Ipv4Addr::new(127, 0, 0, 3);
    let file = format!("/{place}/{STREAM}/1.m4s");
    let with = |query: &str| format!("{file}?{query}");
    let served = |from, target: &str, headers: &str| {
        let (status, found, _) = front.get(from, target, headers);
        assert!(status == 200 || !found.contains(body), "{found}");
        assert!(status != 200 || found == body, "{found}");
        status
    };
    assert_eq!(served(HERE, &file, ""), 403, "{place}: no token");
    assert_eq!(front.get(HERE, &file, "").2, "4903", "{place}");
    assert_eq!(served(HERE, &with(&any), ""), 200, "{place}");
    assert_eq!(front.get(HERE, &with(&any), "").2, hit, "{place}");
    let again = served(HERE, &file, "");
    assert_eq!(again, 403, "{place}: no token, when it was served before");
    assert_eq!(served(HERE, &with(&here), ""), 200, "{place}: address");
    let elsewhere = served(other, &with(&here), "");
    assert_eq!(elsewhere, 403, "{place}: other address");
    assert_eq!(served(other, &with(&here), lie), 403, "{place}: it lies");
    assert_eq!(served(HERE, &with(&page), referer), 200, "{place}: page");
    assert_eq!(served(HERE, &with(&page), evil), 403, "{place}: other page");
    // Envoy makes one of two, which begins with the first.
    let both = format!("{evil}{referer}");
    assert_eq!(served(HERE, &with(&page), &both), 403, "{place}: two pages");
    let rows = [
        (format!("/{place}/ABCDE-other/1.m4s?{any}"), 403),
        (
            format!("/{place}/ABCDE-other/1.m4s?stream={STREAM}&{any}"),
            403,
        ),
        (
            format!("/{place}/{STREAM}/../ABCDE-other/1.m4s?{any}"),
            strange,
        ),
        (
            format!("/{place}/ABCDE-other/../ABCDE-other/1.m4s?stream={STREAM}&{any}"),
            strange,
        ),
        (
            format!("/{place}/{STREAM}%2f..%2fABCDE-other/1.m4s?stream={STREAM}&{any}"),
            strange,
        ),
    ];
    for (target, expected) in rows {
        assert_eq!(served(HERE, &target, lie), expected, "{target}");
    }
    let altered = with(&any).replace("token=A", "token=B");
    assert_eq!(served(HERE, &altered, ""), 403, "{place}: altered");
}

/// A server that makes segments, and knows of no tokens.
fn packager() -> PageHost {
    let segment = b"the segment".to_vec();
    PageHost::start(vec![("/segments/ABCDE-demo/1.m4s", "video/mp4", segment)])
}

#[test]
fn nginx_serves_files_and_cached_segments_to_whoever_has_a_token() {
    let server = server("trusted-proxies = [\"127.0.0.1/32\"]", "");
    let packager = packager();
    let nginx = Front::nginx(&server, packager.port());
    // It makes one path of such spellings, and asks about that.
    gates(&nginx, &server, ("files", "the file", ""), 403);
    gates(&nginx, &server, ("segments", "the segment", "HIT"), 403);
    // The verdict's own address is nginx's alone.
    let any = query(&mint(&server, json!({})));
    assert_eq!(nginx.get(HERE, &format!("/h5live-verify?{any}"), "").0, 404);
}

#[test]
fn haproxy_and_envoy_serve_segments_to_whoever_has_a_token() {
    let packager = packager();
    let envoys = "[verify]\naddress-header = \"X-H5Live-Client\"\n";
    type Start = fn(&Server, u16) -> Front;
    let haproxy: Start = |server, packager| Front::haproxy(server.port(), packager);
    let envoy: Start = |server, packager| Front::envoy(server.port(), packager);
    for (front, more) in [(haproxy, ""), (envoy, envoys)] {
        let server = server("trusted-proxies = [\"127.0.0.1/32\"]", more);
        let front = front(&server, packager.port());
        gates(&front, &server, ("segments", "the segment", ""), 404);
    }
}

#[test]
fn haproxy_and_envoy_serve_nobody_when_there_is_no_verdict() {
    let server = server("trusted-proxies = [\"127.0.0.1/32\"]", "");
    let packager = packager();
    let token = query(&mint(&server, json!({})));
    let file = format!("/segments/{STREAM}/1.m4s?{token}");
    for front in [Front::haproxy, Front::envoy] {
        let (status, body, _) = front(free_port(), packager.port()).get(HERE, &file, "");
        assert!(
            status == 403 && !body.contains("segment"),
            "{status} {body}"
        );
    }
}
