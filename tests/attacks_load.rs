//! Hundreds who hold on to the listener: they never finish TLS or a head, send a byte now and then, or
//! leave half a connection open. Viewers get in meanwhile, and all of them are closed.
//!
//! Elsewhere: viewers that stop reading (`fanout_goodbye.rs` and the benchmarks), WebSockets that ping
//! and flood (`attacks_websocket.rs`). Not covered: more of them than the system has ports for.
#![cfg(feature = "server")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use attacks::{DEMO, PLAY, SECRET, Ticket, claims};
use rustls::ClientConfig;
use support::https::{Pair, connect, register};
use support::process::wait_until;
use support::raw::{Raw, upgrade};
use support::server::{Options, Server, agent};
use tempfile::TempDir;

const ATTACKERS: usize = 200;
const HANDSHAKE: Duration = Duration::from_secs(4);
/// The start of a TLS record with a ClientHello that never ends.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03";
const HEAD: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: play.test\r\nX-Slow: ";

#[derive(Clone, Copy, Debug)]
enum Attack {
    /// Connects.
    Silent,
    /// Sends half of what is awaited.
    Half,
    /// Sends a byte of it now and then.
    Drips,
    /// Ends its side after half.
    HalfOpen,
    /// Finishes TLS, and nothing else.
    SilentWithin,
    /// Finishes TLS, and sends a byte of a head now and then.
    DripsWithin,
}

const PLAIN: &[Attack] = &[
    Attack::Silent,
    Attack::Half,
    Attack::Drips,
    Attack::HalfOpen,
];
const WITHIN: &[Attack] = &[
    Attack::Silent,
    Attack::Half,
    Attack::Drips,
    Attack::HalfOpen,
    Attack::SilentWithin,
    Attack::DripsWithin,
];

enum Stream {
    Plain(TcpStream),
    Tls(Box<support::https::Tls>),
}

struct Attacker {
    attack: Attack,
    stream: Stream,
}

impl Attacker {
    fn new(attack: Attack, port: u16, tls: Option<&Arc<ClientConfig>>) -> Option<Attacker> {
        let within = matches!(attack, Attack::SilentWithin | Attack::DripsWithin);
        let stream = match tls.filter(|_| within) {
            Some(config) => {
                let mut tls = connect(port, config).ok()?;
                if matches!(attack, Attack::DripsWithin) {
                    tls.write_all(HEAD).ok()?;
                }
                tls.sock.0.set_nonblocking(true).unwrap();
                Stream::Tls(Box::new(tls))
            }
            None => {
                let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
                if !matches!(attack, Attack::Silent) {
                    tcp.write_all(if tls.is_some() { HELLO } else { HEAD })
                        .unwrap();
                }
                if matches!(attack, Attack::HalfOpen) {
                    tcp.shutdown(Shutdown::Write).unwrap();
                }
                tcp.set_nonblocking(true).unwrap();
                Stream::Plain(tcp)
            }
        };
        Some(Attacker { attack, stream })
    }

    /// Another byte, from those who send one now and then.
    fn drip(&mut self) {
        let _ = match (&mut self.stream, self.attack) {
            (Stream::Plain(tcp), Attack::Drips) => tcp.write(b"a"),
            (Stream::Tls(tls), Attack::DripsWithin) => tls.write(b"a"),
            _ => Ok(0),
        };
    }

    fn is_closed(&mut self) -> bool {
        let mut buffer = [0; 1024];
        let read = match &mut self.stream {
            Stream::Plain(tcp) => tcp.read(&mut buffer),
            Stream::Tls(tls) => tls.read(&mut buffer),
        };
        match read {
            Ok(length) => length == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }
}

struct Siege {
    server: Server,
    metrics: u16,
    tls: Option<Arc<ClientConfig>>,
    _directory: TempDir,
}

impl Siege {
    fn start(https: bool, limits: &str) -> Siege {
        let directory = TempDir::new().unwrap();
        let pair = Pair::write(directory.path());
        let server = Server::start(&Options {
            tls: https,
            certificate: https.then(|| (pair.certificate.clone(), pair.key.clone())),
            more: format!(
                "[metrics]\nlisten = \"127.0.0.1:0\"\n\
                 [limits]\nhandshake-timeout = \"{}s\"\n{limits}",
                HANDSHAKE.as_secs()
            ),
            ..Options::with_origin("rtmp://127.0.0.1:1/live")
        });
        match https {
            true => register(&server, DEMO, SECRET),
            false => server.register(DEMO, SECRET),
        }
        Siege {
            metrics: server.port_beside("metrics at http://"),
            server,
            tls: https.then(|| Pair::client(&[&pair.der], &[])),
            _directory: directory,
        }
    }

    fn attack(&self, attacks: &[Attack]) -> Vec<Attacker> {
        let port = self.server.port();
        let attacks = attacks.iter().cycle().take(ATTACKERS);
        attacks
            .filter_map(|attack| Attacker::new(*attack, port, self.tls.as_ref()))
            .collect()
    }

    /// A viewer comes, and is let in.
    fn view(&self) {
        let ticket = Ticket::new(&claims());
        let target = format!("/h5live/authstream?{}", ticket.query());
        if let Some(config) = &self.tls {
            let tls = connect(self.server.port(), config).unwrap();
            let url = format!("{}?{}", self.server.websocket(), ticket.query());
            let (mut viewer, _) = tungstenite::client(url, tls).unwrap();
            let first = viewer.read().unwrap().into_text().unwrap();
            assert!(first.contains("onServerInfo"), "{first}");
            return;
        }
        let mut viewer = Raw::connect(self.server.port());
        viewer.send(&upgrade(target.as_bytes(), ""));
        assert_eq!(viewer.outcome(), PLAY);
    }

    fn counted(&self, series: &str) -> u64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.metrics);
        let text = agent()
            .get(url)
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap();
        let line = text.lines().find(|line| {
            line.strip_prefix(series)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        let line = line.unwrap_or_else(|| panic!("{series}\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Goes on until all are closed.
    fn outlast(&self, mut attackers: Vec<Attacker>) {
        let mut next = Instant::now();
        wait_until("all attackers to be closed", || {
            if Instant::now() >= next {
                attackers.iter_mut().for_each(Attacker::drip);
                next = Instant::now() + Duration::from_millis(300);
            }
            attackers.retain_mut(|attacker| !attacker.is_closed());
            attackers.is_empty().then_some(())
        });
        wait_until("no connection to be left", || {
            (self.counted("h5live_connections") == 0).then_some(())
        });
    }
}

#[test]
fn a_viewer_gets_in_beside_hundreds_who_never_finish_a_head() {
    let siege = Siege::start(false, "");
    let attackers = siege.attack(PLAIN);
    let since = Instant::now();
    siege.view();
    let waited = since.elapsed();
    assert!(
        waited < HANDSHAKE,
        "a viewer waits for attackers: {waited:?}"
    );
    siege.outlast(attackers);
}

#[test]
fn a_viewer_gets_in_beside_hundreds_who_never_finish_tls_or_a_head_within() {
    let siege = Siege::start(true, "");
    let attackers = siege.attack(WITHIN);
    assert!(attackers.len() > ATTACKERS / 2, "{}", attackers.len());
    siege.view();
    siege.outlast(attackers);
    assert!(siege.counted("h5live_handshakes_failed_total{reason=\"timeout\"}") >= 50);
}

#[test]
fn a_viewer_gets_in_after_those_who_hold_all_places() {
    let siege = Siege::start(false, "max-requests = 60\n");
    let attackers = siege.attack(&[Attack::Silent, Attack::Half, Attack::Drips]);
    // Behind all of them: three times all places are taken, and given back after their time.
    siege.view();
    siege.outlast(attackers);
}
