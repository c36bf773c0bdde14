//! A server with an RTSP door and a publisher, and RTSP by the byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use h5live::token::{Claims, Scope, Secret, StreamName, Tag, UnixSeconds, mint};
use tempfile::TempDir;
use url::form_urlencoded::Serializer;

use super::https;
use super::process::{PATIENCE, free_port};
use super::publisher::{self, Publisher};
use super::server::{Options, Security, Server};

pub const STREAM: &str = "ABCDE-demo";
/// Nobody publishes it, though somebody may.
pub const OTHER: &str = "ABCDE-other";
const SECRET: &str = "the secret of these RTSP viewers";
const PUBLISH_KEY: &str = "a.publish.key-of_ABCDE~demo";

/// Server and publisher. Dropping it ends both.
pub struct Site {
    pub server: Server,
    pub rtsp: u16,
    embedded: u16,
    publisher: Option<Publisher>,
    _keys: TempDir,
}

impl Site {
    /// Plain, with more sections of the configuration and lines of `[server]`.
    pub fn start(more: &str, server: &str) -> Site {
        Site::start_with(more, server, None)
    }

    /// By TLS, with a certificate and its key.
    pub fn start_tls(pair: (PathBuf, PathBuf)) -> Site {
        Site::start_with("", "", Some(pair))
    }

    fn start_with(more: &str, server: &str, certificate: Option<(PathBuf, PathBuf)>) -> Site {
        let keys = TempDir::new().unwrap();
        let file = keys.path().join("demo.key");
        std::fs::write(&file, format!("{PUBLISH_KEY}\n")).unwrap();
        let embedded = free_port();
        let more = format!(
            "{more}\n[rtsp]\nlisten = \"127.0.0.1:0\"\n[origin.embedded]\n\
             listen = \"127.0.0.1:{embedded}\"\n\
             [[origin.embedded.streams]]\nname = \"{STREAM}\"\nkey-file = {file:?}\n"
        );
        let server = Server::start(&Options {
            tls: certificate.is_some(),
            certificate,
            more,
            server: server.to_owned(),
            environment: vec![("H5LIVE_LOG".to_owned(), "trace".to_owned())],
            ..Options::default()
        });
        for stream in [STREAM, OTHER] {
            match server.base().starts_with("https") {
                true => https::register(&server, stream, SECRET),
                false => server.register(stream, SECRET),
            }
        }
        let scheme = server.base().replacen("http", "rtsp", 1);
        let scheme = scheme.split("127").next().unwrap();
        let rtsp = server.port_beside(&format!("RTSP players are served at {scheme}"));
        let mut site = Site {
            server,
            rtsp,
            embedded,
            publisher: None,
            _keys: keys,
        };
        site.publish(&publisher::Options {
            width: 320,
            height: 180,
            video_kbits: 300,
            ..publisher::Options::default()
        });
        site
    }

    /// Publishes anew, after the last has stopped.
    pub fn publish(&mut self, options: &publisher::Options) {
        self.publisher = None;
        let location = format!(
            "rtmp://127.0.0.1:{}/live/{STREAM}?key={PUBLISH_KEY}",
            self.embedded
        );
        self.publisher = Some(Publisher::start_at(&location, options));
    }

    /// The address of the stream for this token.
    pub fn url(&self, token: &Security) -> String {
        self.url_of(STREAM, token)
    }

    pub fn url_of(&self, stream: &str, token: &Security) -> String {
        let scheme = match self.server.base().starts_with("https") {
            true => "rtsps",
            false => "rtsp",
        };
        let mut query = Serializer::new(String::new());
        query.extend_pairs(token.pairs());
        let query = query.finish();
        format!("{scheme}://127.0.0.1:{}/{stream}?{query}", self.rtsp)
    }
}

/// A token for the stream, bound to a tag, and to a time so many seconds from now.
pub fn token(tag: &str, seconds: Option<i64>) -> Security {
    let stream = StreamName::parse(STREAM).unwrap();
    let mut claims = Claims::of(Scope::Stream(stream));
    claims.tag = Some(Tag::parse(tag).unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = |seconds| UnixSeconds(now.as_secs().saturating_add_signed(seconds));
    claims.expires = seconds.map(at);
    let key = Secret::new(SECRET.as_bytes()).unwrap().key();
    Security::from(mint(&key, &claims))
}

/// What RTSP answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A client that speaks RTSP by the byte.
pub struct Rtsp {
    socket: TcpStream,
    read: Vec<u8>,
    cseq: u32,
}

impl Rtsp {
    pub fn connect(port: u16) -> Rtsp {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Rtsp {
            socket,
            read: Vec::new(),
            cseq: 0,
        }
    }

    /// One that will be slow: its system takes next to nothing that it does not read.
    pub fn connect_narrow(port: u16) -> Rtsp {
        let client = Rtsp::connect(port);
        let socket = socket2::SockRef::from(&client.socket);
        socket.set_recv_buffer_size(4096).unwrap();
        client
    }

    pub fn send(&mut self, text: &str) {
        // It may be closed already, which its answer tells.
        let _ = self.socket.write_all(text.as_bytes());
    }

    /// Asks, with further headers, and waits for the answer.
    pub fn ask(&mut self, method: &str, url: &str, headers: &str) -> Answer {
        self.cseq += 1;
        let cseq = self.cseq;
        self.send(&format!(
            "{method} {url} RTSP/1.0\r\nCSeq: {cseq}\r\n{headers}\r\n"
        ));
        let answer = self.answer();
        let answer = answer.unwrap_or_else(|| panic!("{method}: no answer"));
        assert_eq!(
            answer.header("CSeq"),
            Some(&cseq.to_string()[..]),
            "{answer:?}"
        );
        answer
    }

    /// The next answer, frames passed over; `None` at the end of the connection.
    pub fn answer(&mut self) -> Option<Answer> {
        loop {
            if self.read.first() == Some(&b'$') {
                self.frame()?;
                continue;
            }
            if let Some(end) = self.read.windows(4).position(|at| at == b"\r\n\r\n") {
                let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                let mut answer = Answer {
                    status,
                    head,
                    body: String::new(),
                };
                let length = answer
                    .header("Content-Length")
                    .map(|it| it.parse().unwrap());
                let length: usize = length.unwrap_or(0);
                while self.read.len() < length {
                    self.fill()?;
                }
                answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
                return Some(answer);
            }
            self.fill()?;
        }
    }

    /// The next interleaved frame: its channel and its data; `None` at the end of the connection.
    pub fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let [b'$', channel, high, low, ..] = self.read[..] {
                let length = usize::from(u16::from_be_bytes([high, low]));
                if self.read.len() >= 4 + length {
                    let data = self.read.drain(..4 + length).skip(4).collect();
                    return Some((channel, data));
                }
            } else if self.read.first().is_some_and(|first| *first != b'$') {
                self.answer()?;
                continue;
            }
            self.fill()?;
        }
    }

    /// All that comes until the connection ends, so long at most; `None`: it did not end.
    pub fn rest(&mut self, patience: Duration) -> Option<Vec<u8>> {
        let until = std::time::Instant::now() + patience;
        loop {
            let left = until.checked_duration_since(std::time::Instant::now())?;
            let step = left.max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(step)).unwrap();
            let mut some = [0; 4096];
            match self.socket.read(&mut some) {
                Ok(0) => return Some(std::mem::take(&mut self.read)),
                Ok(count) => self.read.extend(&some[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Some(std::mem::take(&mut self.read));
                }
                Err(_) => {}
            }
        }
    }

    /// Plays the picture of this address on the connection; what SETUP has answered.
    pub fn play(&mut self, url: &str) -> Answer {
        self.play_tracks(url, &[0])
    }

    /// Plays these tracks, each on the channels of its number; what the last SETUP has answered.
    pub fn play_tracks(&mut self, url: &str, tracks: &[u8]) -> Answer {
        let description = self.ask("DESCRIBE", url, "Accept: application/sdp\r\n");
        assert_eq!(description.status, 200, "{description:?}");
        let base = description.header("Content-Base").unwrap().to_owned();
        let mut setup = description;
        let mut session = String::new();
        for track in tracks {
            let (media, control) = (2 * track, 2 * track + 1);
            let headers = format!(
                "Transport: RTP/AVP/TCP;unicast;interleaved={media}-{control}\r\n{session}"
            );
            setup = self.ask("SETUP", &format!("{base}stream={track}"), &headers);
            assert_eq!(setup.status, 200, "{setup:?}");
            let id = setup.header("Session").unwrap().split(';').next().unwrap();
            session = format!("Session: {id}\r\n");
        }
        let played = self.ask("PLAY", &base, &session);
        assert_eq!(played.status, 200, "{played:?}");
        setup
    }

    /// Waits for media on a channel.
    pub fn hears(&mut self, channel: u8) -> bool {
        std::iter::from_fn(|| self.frame()).any(|(other, _)| other == channel)
    }

    /// The next RTP packet's source, which is the pipeline's (RFC 3550, 5.1).
    pub fn source(&mut self) -> Option<u32> {
        loop {
            let (channel, data) = self.frame()?;
            if channel == 0 {
                return Some(u32::from_be_bytes(data[8..12].try_into().unwrap()));
            }
        }
    }

    fn fill(&mut self) -> Option<()> {
        let mut some = [0; 4096];
        let count = self
            .socket
            .read(&mut some)
            .ok()
            .filter(|count| *count > 0)?;
        self.read.extend(&some[..count]);
        Some(())
    }
}
