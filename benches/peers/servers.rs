//! The servers that are compared, each started as its operators start it, on the core that is measured.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use h5live::token::{Claims, Scope, Secret, StreamName, Tag, UnixSeconds, mint};
use md5::{Digest, Md5};
use serde_json::json;
use tempfile::TempDir;

use super::machine::{MEASURED_CORE, pin, processes::MEASURING_CORE};
use super::support::origin::Origin;
use super::support::process::{Process, accepts, free_port};
use super::support::server::{Options, Security, Server};

pub const STREAM: &str = "BENCH-peers";
const SECRET: &str = "the secret of the bench of peers";
const VALID_SECONDS: u64 = 24 * 60 * 60;

/// A server and the protocol that its clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Ours,
    NodeWebSocket,
    NodeHttp,
    Xiu,
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "h5live, WebSocket, fMP4",
            Self::NodeWebSocket => "node-media-server, WebSocket, FLV",
            Self::NodeHttp => "node-media-server, HTTP, FLV",
            Self::Xiu => "xiu, HTTP, FLV",
        }
    }

    /// Whether its clients may send something besides.
    pub fn is_websocket(self) -> bool {
        matches!(self, Self::Ours | Self::NodeWebSocket)
    }
}

/// A server that runs.
pub struct Running {
    pub address: SocketAddr,
    pub process: u32,
    /// Where the publisher publishes to, and as what.
    pub rtmp: u16,
    pub key: String,
    peer: Peer,
    // Dropped in this order: who pulls, then its origin, then files.
    _server: Option<Server>,
    _peer: Option<Process>,
    _origin: Option<Origin>,
    _directory: Option<TempDir>,
}

/// Starts something on the measured core.
pub fn measured<T>(start: impl FnOnce() -> T) -> T {
    pin(MEASURED_CORE);
    let started = start();
    pin(MEASURING_CORE);
    started
}

pub fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// Our server, and the stream that its clients ask for.
pub fn h5live(origin: &Origin) -> Server {
    let mut options = Options::with_origin(&origin.url("live"));
    options.orga = "BENCH".into();
    let server = Server::start(&options);
    server.register(STREAM, SECRET);
    server
}

/// The program that a script of `.ci` has installed.
fn installed(script: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(".ci")
        .join(script);
    let output = Command::new(path).output().expect("a script of .ci runs");
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Running {
    pub fn start(peer: Peer) -> Self {
        match peer {
            Peer::Ours => {
                let origin = Origin::start();
                let server = measured(|| h5live(&origin));
                Self {
                    address: loopback(server.port()),
                    process: server.id(),
                    rtmp: origin.port(),
                    key: STREAM.into(),
                    peer,
                    _server: Some(server),
                    _peer: None,
                    _origin: Some(origin),
                    _directory: None,
                }
            }
            Peer::NodeWebSocket | Peer::NodeHttp => {
                let program = installed("node-media-server");
                let [rtmp, http] = [free_port(), free_port()];
                let config = json!({
                    "bind": "127.0.0.1",
                    "auth": {"play": true, "publish": false, "secret": SECRET},
                    "rtmp": {"port": rtmp},
                    "http": {"port": http},
                    "webadmin": {"enable": false},
                    "store": {"path": "data"},
                    "record": {"auto": false, "path": "record"},
                });
                let mut command = Command::new("node");
                command.arg(program).args(["--config", "config.json"]);
                let config = ("config.json", config.to_string());
                Self::other(peer, [rtmp, http], config, command)
            }
            Peer::Xiu => {
                let [rtmp, http] = [free_port(), free_port()];
                let config = format!(
                    "[rtmp]\nenabled = true\nport = {rtmp}\ngop_num = 1\n\
                     [httpflv]\nenabled = true\nport = {http}\n\
                     [authsecret]\nkey = \"none\"\npassword = \"none\"\n\
                     [log]\nlevel = \"info\"\n"
                );
                let mut command = Command::new(installed("xiu"));
                // It reads nothing that is called otherwise.
                command.args(["-c", "config.toml"]);
                Self::other(peer, [rtmp, http], ("config.toml", config), command)
            }
        }
    }

    fn other(
        peer: Peer,
        [rtmp, http]: [u16; 2],
        (name, config): (&str, String),
        mut command: Command,
    ) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::write(directory.path().join(name), config).expect("it can be written");
        command.current_dir(directory.path());
        let log = directory.path().join("log");
        let mut process = measured(|| Process::start(peer.name(), &mut command, &log));
        process.wait_until("both ports", |_| {
            (accepts(rtmp) && accepts(http)).then_some(())
        });
        Self {
            address: loopback(http),
            process: process.id(),
            rtmp,
            key: STREAM.into(),
            peer,
            _server: None,
            _peer: Some(process),
            _origin: None,
            _directory: Some(directory),
        }
    }

    /// What each of so many clients asks, with a token of its own where the server knows any.
    pub fn requests(&self, clients: usize) -> Vec<String> {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let headers = if self.peer.is_websocket() {
            upgrade
        } else {
            ""
        };
        (0..clients as u64)
            .map(|client| {
                let path = match self.peer {
                    Peer::Ours => format!("/h5live/authstream?{}", query(client)),
                    Peer::NodeWebSocket | Peer::NodeHttp => {
                        format!("/live/{STREAM}.flv?sign={}", sign(client))
                    }
                    Peer::Xiu => format!("/live/{STREAM}.flv"),
                };
                format!("GET {path} HTTP/1.1\r\nHost: bench.test\r\n{headers}\r\n")
            })
            .collect()
    }
}

/// A Unix time, in seconds, until which a client's token is valid: each has another one.
pub fn expires(client: u64) -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock past 1970").as_secs() + VALID_SECONDS + client
}

/// What the address of one of our clients ends with.
pub fn query(client: u64) -> String {
    let stream = StreamName::parse(STREAM).expect("a stream's name");
    let claims = Claims {
        expires: Some(UnixSeconds(expires(0))),
        tag: Some(Tag::parse(&format!("client-{client}")).expect("a tag")),
        ..Claims::of(Scope::Stream(stream))
    };
    let key = Secret::new(SECRET).expect("long enough").key();
    let security = Security::from(mint(&key, &claims));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("stream", STREAM);
    query.append_pair("cid", &client.to_string());
    query.append_pair("pid", &format!("7{client:07}"));
    query.extend_pairs(security.pairs());
    query.finish()
}

/// node-media-server's token.
fn sign(client: u64) -> String {
    let expires = expires(client);
    let sum = Md5::digest(format!("/live/{STREAM}-{expires}-{SECRET}"));
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{expires}-{hex}")
}
