//! How a client of each door asks, and how it is told that it is over.

/// What some bytes mean to a client.
pub enum News {
    None,
    /// It asks for this.
    Ask(String),
    Ended,
}

/// One client.
pub trait Door {
    /// What it begins with.
    fn request(&self) -> String;

    /// Takes what was read; nothing where the other side has closed.
    fn read(&mut self, bytes: &[u8]) -> News;
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: play.test\r\n{headers}\r\n")
}

/// Enough of what came last to hold a close frame or a last chunk.
const TAIL: usize = 127;

#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.0
            .extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let excess = self.0.len().saturating_sub(TAIL);
        self.0.drain(..excess);
    }
}

/// Ended when its close frame has come, and the end of its connection.
pub struct WebSocket {
    path: String,
    tail: Tail,
}

impl WebSocket {
    pub fn new(query: &str) -> Self {
        Self {
            path: format!("/h5live/authstream?{query}"),
            tail: Tail::default(),
        }
    }
}

impl Door for WebSocket {
    fn request(&self) -> String {
        get(
            &self.path,
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        )
    }

    fn read(&mut self, bytes: &[u8]) -> News {
        self.tail.take(bytes);
        if !bytes.is_empty() {
            return News::None;
        }
        // A close frame's head, and 4901.
        let code = self.tail.0.windows(4).rev().find(|four| four[0] == 0x88);
        assert_eq!(
            code.map(|four| &four[2..]),
            Some(&4901_u16.to_be_bytes()[..])
        );
        News::Ended
    }
}

/// Ended when its body and its connection are.
pub struct File {
    path: String,
    begun: bool,
    tail: Tail,
}

impl File {
    pub fn new(query: &str) -> Self {
        Self {
            path: format!("/h5live/authhttp/stream.mp4?{query}"),
            begun: false,
            tail: Tail::default(),
        }
    }
}

impl Door for File {
    fn request(&self) -> String {
        get(&self.path, "")
    }

    fn read(&mut self, bytes: &[u8]) -> News {
        if !self.begun && !bytes.is_empty() {
            assert!(bytes.starts_with(b"HTTP/1.1 200 "));
            self.begun = true;
        }
        self.tail.take(bytes);
        if !bytes.is_empty() {
            return News::None;
        }
        assert!(
            self.begun && self.tail.0.ends_with(b"0\r\n\r\n"),
            "a whole body"
        );
        News::Ended
    }
}

/// Always has a reload open, as a player in low-latency mode has; ended when that is refused.
pub struct Playlist {
    path: String,
    answer: Vec<u8>,
}

impl Playlist {
    pub fn new(query: &str) -> Self {
        Self {
            path: format!("/h5live/authhttp/playlist.m3u8?{query}"),
            answer: Vec::new(),
        }
    }

    /// The answer, once it is whole.
    fn whole(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.answer).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "))?;
        (body.len() >= length.parse::<usize>().ok()?).then_some(text)
    }
}

impl Door for Playlist {
    fn request(&self) -> String {
        get(&self.path, "")
    }

    fn read(&mut self, bytes: &[u8]) -> News {
        assert!(!bytes.is_empty(), "a connection was closed without a word");
        self.answer.extend_from_slice(bytes);
        let Some(answer) = self.whole() else {
            return News::None;
        };
        if answer.starts_with("HTTP/1.1 403 ") {
            assert!(answer.contains("4901"), "{answer}");
            return News::Ended;
        }
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let hint = answer
            .lines()
            .last()
            .and_then(|line| line.rsplit('/').next());
        let hint = hint.and_then(|name| name.split('.').next()?.parse::<u64>().ok());
        let segment = hint.expect("a playlist ends with its hint");
        self.answer.clear();
        News::Ask(get(&format!("{}&_HLS_msn={segment}", self.path), ""))
    }
}
