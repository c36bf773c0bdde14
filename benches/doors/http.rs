//! As much of an HTTP/1.1 client as a player needs, on one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer that takes longer is a defect and no figure.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Http {
    reader: BufReader<TcpStream>,
}

/// An answer's status and how its body ends.
pub struct Head {
    pub status: u16,
    length: Option<usize>,
}

impl Http {
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("the server listens");
        let patient = socket.set_read_timeout(Some(PATIENCE));
        patient.expect("a TCP socket");
        let reader = BufReader::with_capacity(16 * 1024, socket);
        Self { reader }
    }

    /// Asks, and reads the head of the answer.
    pub fn ask(&mut self, request: &str) -> Head {
        let mut socket = self.reader.get_ref();
        socket.write_all(request.as_bytes()).expect("a request");
        let status = self.line();
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut length = None;
        loop {
            let line = self.line();
            if line.is_empty() {
                return Head {
                    status: status.expect("a status line"),
                    length,
                };
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
    }

    /// Asks for a body that goes on.
    pub fn begin(&mut self, path: &str) {
        let head = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: bench.test\r\n\r\n"));
        assert_eq!(head.status, 200, "{path}");
    }

    /// Answers a ping: an empty pong, masked with zeros (RFC 6455, 5.3).
    pub fn pong(&mut self) {
        let mut socket = self.reader.get_ref();
        socket.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).expect("a pong");
    }

    /// Fetches a whole body.
    pub fn get(&mut self, path: &str) -> Vec<u8> {
        let head = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: bench.test\r\n\r\n"));
        assert_eq!(head.status, 200, "{path}");
        let mut body = vec![0; head.length.expect("a body of a known length")];
        self.reader.read_exact(&mut body).expect("a body");
        body
    }

    /// The next chunk of a body that goes on (RFC 9112, 7.1).
    pub fn chunk(&mut self, chunk: &mut Vec<u8>) {
        let size = self.line();
        let size = usize::from_str_radix(&size, 16).expect("a chunk's size");
        assert!(size > 0, "the stream goes on");
        chunk.resize(size, 0);
        self.reader.read_exact(chunk).expect("a chunk");
        assert_eq!(self.line(), "", "the end of a chunk");
    }

    /// Whatever has come.
    pub fn bytes(&mut self, each: impl FnOnce(&[u8])) {
        let bytes = self.reader.fill_buf().expect("media in time");
        assert!(!bytes.is_empty(), "nobody is closed");
        let length = bytes.len();
        each(bytes);
        self.reader.consume(length);
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a line");
        line.truncate(line.trim_end().len());
        line
    }
}
