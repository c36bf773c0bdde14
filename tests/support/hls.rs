//! A server with an origin, for players of HLS.

use std::net::Ipv4Addr;
use std::process::Command;

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::origin::Origin;
use super::publisher::{self, Publisher};
use super::raw::Raw;
use super::server::{Options, Security, Server};

/// What is published.
pub const STREAM: &str = "ABCDE-demo";

/// The two of them.
pub struct Site {
    /// The server.
    pub server: Server,
    /// Its origin.
    pub origin: Origin,
}

impl Site {
    /// Starts both and registers the stream.
    pub fn start() -> Site {
        Site::start_with("", "")
    }

    /// The same with lines of the configuration's `[server]`, and with more sections.
    pub fn start_with(lines: &str, more: &str) -> Site {
        let origin = Origin::start();
        let server = Server::start(&Options {
            server: lines.to_owned(),
            more: more.to_owned(),
            ..Options::with_origin(&origin.url("live"))
        });
        server.register(STREAM, "the secret of these segments");
        Site { server, origin }
    }

    /// A publisher of the stream.
    pub fn publish(&self) -> Publisher {
        Publisher::start(&self.origin, STREAM, &publisher::Options::default())
    }

    /// A publisher of another stream, with a small picture.
    pub fn publish_as(&self, stream: &str) -> Publisher {
        let options = publisher::Options {
            width: 320,
            height: 180,
            ..publisher::Options::default()
        };
        Publisher::start(&self.origin, stream, &options)
    }

    /// A token for the stream, bound to what `wish` says besides.
    pub fn mint(&self, wish: &Value) -> Security {
        let mut wish = wish.clone();
        wish["streamname"] = json!(STREAM);
        self.server.mint(&wish)
    }

    /// Fetches a URL, byte for byte as it is, with these headers.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        fetch("127.0.0.1", url, headers)
    }

    /// The same from another address of the loopback range.
    pub fn get_from(&self, address: &str, url: &str) -> Answer {
        fetch(address, url, &[])
    }

    /// The playlist's URL, as a player makes it.
    pub fn playlist_url(&self, token: &Security) -> String {
        self.url("/h5live/authhttp/playlist.m3u8", token)
    }

    /// A door's URL, as a player makes it.
    pub fn url(&self, path: &str, token: &Security) -> String {
        self.url_of(path, STREAM, "62389951444", token)
    }

    /// The same for another stream or player.
    pub fn url_of(&self, path: &str, stream: &str, player: &str, token: &Security) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs([
            ("url", self.origin.url("live").as_str()),
            ("stream", stream),
            ("cid", "527243"),
            ("pid", player),
        ]);
        query.extend_pairs(token.pairs());
        format!("{}{path}?{}", self.server.base(), query.finish())
    }

    /// Begins to fetch a URL, from an address of the loopback range; the status. What is live would not
    /// end by itself.
    pub fn begin(&self, from: Ipv4Addr, url: &str, headers: &str) -> (u16, Raw) {
        let target = url.strip_prefix(&self.server.base()).expect("our server");
        let mut client = Raw::connect_from(from, self.server.port());
        let head = format!("GET {target} HTTP/1.1\r\nHost: play.test\r\n{headers}\r\n");
        client.send(head.as_bytes());
        let answer = client.answer().expect("an answer");
        (answer.status, client)
    }
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn fetch(address: &str, url: &str, headers: &[(&str, &str)]) -> Answer {
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--include",
            "--path-as-is",
            "--globoff",
        ])
        .args(["--noproxy", "*", "--max-time", "40", "--interface", address]);
    for (name, value) in headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let output = command.arg(url).output().expect("curl runs");
    assert!(output.status.success(), "{url}: {output:?}");
    let end = output
        .stdout
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(output.stdout[..end].to_vec()).unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    Answer {
        status: status.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: headers.to_owned(),
        body: output.stdout[end + 4..].to_vec(),
    }
}

/// The times of the first six seconds' frames, in milliseconds.
pub fn decode(url: &str) -> Vec<i64> {
    let output = Command::new("ffmpeg")
        // Not its warnings: it reads the init segment again after a reload, and warns of that.
        .args([
            "-v", "error", "-nostdin", "-i", url, "-t", "6", "-map", "0:v",
        ])
        .args(["-fps_mode", "passthrough", "-enc_time_base", "1:1000"])
        .args(["-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffmpeg");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(',').nth(2).unwrap().trim().parse().unwrap())
        .collect()
}
