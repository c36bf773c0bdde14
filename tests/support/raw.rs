//! HTTP and WebSocket by the byte: sends what a decent client never would, and hides nothing of what
//! comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::patient::Patient;
use super::process::PATIENCE;

/// A key and what must be answered to it (RFC 6455, 1.3).
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A connection.
pub struct Raw {
    tcp: Patient,
    read: Vec<u8>,
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    pub body: String,
}

/// A WebSocket frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, reserved bits and opcode.
    pub first: u8,
    pub payload: Vec<u8>,
}

/// The rows of a table that went wrong: all are told at once, so that one does not hide the others.
#[derive(Default)]
pub struct Table(Vec<String>);

impl Table {
    /// Compares what a row gave with what it must give.
    pub fn row(&mut self, name: &str, found: &str, expected: &str) {
        if found != expected {
            self.0.push(format!("{name}: {found}, expected {expected}"));
        }
    }

    /// Panics with what went wrong.
    pub fn check(&self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

impl Answer {
    /// A header's value; `None` where it is not there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Frame {
    /// The close code of a close frame.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.first == 0x88).then(|| u16::from_be_bytes(*code))
    }

    /// What it is, in a word: an event's name, `close 4901`, `binary`, `pong`.
    pub fn name(&self) -> String {
        let text = || serde_json::from_slice::<serde_json::Value>(&self.payload);
        match self.first {
            0x81 => text()
                .ok()
                .and_then(|json| json["eventType"].as_str().map(str::to_owned))
                .unwrap_or_else(|| panic!("not an event: {self:?}")),
            0x82 => "binary".to_owned(),
            0x88 => format!("close {}", self.close_code().unwrap_or_default()),
            0x89 => "ping".to_owned(),
            0x8A => "pong".to_owned(),
            _ => panic!("a frame that no server sends: {self:?}"),
        }
    }
}

impl Raw {
    /// Connects to a loopback port from 127.0.0.1.
    pub fn connect(port: u16) -> Raw {
        Raw::connect_from(Ipv4Addr::LOCALHOST, port)
    }

    /// Connects to a loopback port from an address of 127.0.0.0/8, all of which are this machine's.
    pub fn connect_from(from: Ipv4Addr, port: u16) -> Raw {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        socket.connect_timeout(&to.into(), PATIENCE).unwrap();
        let tcp = TcpStream::from(socket);
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        Raw {
            tcp: Patient(tcp),
            read: Vec::new(),
        }
    }

    /// Sends bytes as they are. Whether the server still takes them does not matter: what it made of
    /// them is seen in what comes back.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.try_send(bytes);
    }

    /// Sends bytes as they are, and says whether the server's side still took them.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.tcp.write_all(bytes).is_ok()
    }

    /// The next answer, with as much body as it announces; `None` where the server closed instead.
    pub fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more() {
                assert!(self.read.is_empty(), "half a head: {:?}", self.read);
                return None;
            }
        };
        let head = String::from_utf8(self.take(end)).unwrap();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let mut answer = Answer {
            status: status.unwrap_or_else(|| panic!("no status: {head}")),
            head,
            body: String::new(),
        };
        if answer.status != 101 {
            let length = answer.header("content-length").unwrap_or("0");
            let length: usize = length.parse().unwrap();
            while self.read.len() < length {
                assert!(self.more(), "half a body: {answer:?}");
            }
            answer.body = String::from_utf8(self.take(length)).unwrap();
        }
        Some(answer)
    }

    /// The next frame; `None` where the server closed without one.
    pub fn frame(&mut self) -> Option<Frame> {
        let need = |raw: &mut Raw, length: usize| {
            while raw.read.len() < length {
                if !raw.more() {
                    return false;
                }
            }
            true
        };
        if !need(self, 2) {
            assert!(self.read.is_empty(), "half a frame: {:?}", self.read);
            return None;
        }
        let (short, start) = match self.read[1] {
            126 => (2, 4),
            127 => (8, 10),
            short => {
                assert!(short < 126, "servers do not mask");
                (0, 2)
            }
        };
        assert!(need(self, start), "half a frame: {:?}", self.read);
        let length = match short {
            0 => usize::from(self.read[1]),
            _ => self.read[2..start]
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        };
        assert!(need(self, start + length), "half a frame");
        let first = self.read[0];
        let mut payload = self.take(start + length);
        payload.drain(..start);
        Some(Frame { first, payload })
    }

    /// The next frame that is neither a ping nor a pong, in a word; `end` where there is none.
    pub fn next(&mut self) -> String {
        loop {
            let name = self.frame().map_or("end".to_owned(), |frame| frame.name());
            if name != "ping" && name != "pong" {
                return name;
            }
        }
    }

    /// All that comes until the server closes.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.read)
    }

    /// What a client sees of its request: `404`, `closed`, or after an upgrade what comes first:
    /// `101 onServerInfo`, `101 close 4901`. Behind a close there must be nothing but the end.
    pub fn outcome(&mut self) -> String {
        let Some(answer) = self.answer() else {
            return "closed".to_owned();
        };
        if answer.status != 101 {
            return answer.status.to_string();
        }
        assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
        let first = self.next();
        if first.starts_with("close ") {
            self.send(&masked(0x88, &[0x03, 0xE8]));
            let rest = self.rest();
            assert!(rest.is_empty(), "after {first}: {rest:?}");
        }
        format!("101 {first}")
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.read.drain(..length).collect()
    }

    /// Reads some; false at the end. A reset is one: a server may close on bytes it has not read.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.tcp.read(&mut buffer) {
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                length > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&self.read)),
        }
    }
}

/// The head of an upgrade, with more header lines, each ended by CR LF.
pub fn upgrade(target: &[u8], more: &str) -> Vec<u8> {
    let mut head = b"GET ".to_vec();
    head.extend_from_slice(target);
    head.extend_from_slice(
        format!(
            " HTTP/1.1\r\nHost: play.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{more}\r\n"
        )
        .as_bytes(),
    );
    head
}

/// A client's frame: FIN, reserved bits and opcode, and the payload that is to be masked.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        length @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}
