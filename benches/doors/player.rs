//! One player on one door. It reads what a player of its kind reads, and sees that no fragment is
//! missing.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::http::Http;
use super::inspect::{Event, Inspector};
use super::media::{self, Seen};
use super::ticket;

/// How a player gets its media. All but the first are the server's doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Floor,
    WebSocket,
    Progressive,
    Segments,
    Parts,
}

impl Door {
    pub const ALL: [Self; 5] = [
        Self::Floor,
        Self::WebSocket,
        Self::Progressive,
        Self::Segments,
        Self::Parts,
    ];

    /// What [`Door::read`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::WebSocket => "websocket",
            Self::Progressive => "progressive",
            Self::Segments => "segments",
            Self::Parts => "parts",
        }
    }

    pub fn read(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|door| door.name() == name);
        found.expect("a door's name")
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Floor => "write() floor",
            Self::WebSocket => "WebSocket",
            Self::Progressive => "stream.mp4",
            Self::Segments => "HLS",
            Self::Parts => "LL-HLS",
        })
    }
}

/// Plays for ever; panics where anything is missing, and the parent hears of it.
pub fn play(door: Door, address: SocketAddr, player: u64, seen: &AtomicU64) {
    let mut http = Http::connect(address);
    let mut counter = Counter { last: None, seen };
    match door {
        Door::Floor => messages(&mut http, &mut counter),
        Door::WebSocket => {
            assert_eq!(
                http.ask(&ticket::request(player, &ticket::stream(0)))
                    .status,
                101
            );
            messages(&mut http, &mut counter);
        }
        Door::Progressive => {
            let path = format!(
                "/h5live/authhttp/stream.mp4?{}",
                ticket::query(player, &ticket::stream(0))
            );
            http.begin(&path);
            let mut chunk = Vec::new();
            loop {
                http.chunk(&mut chunk);
                counter.boxes(&chunk);
            }
        }
        Door::Segments => segments(
            &mut http,
            &ticket::query(player, &ticket::stream(0)),
            &mut counter,
        ),
        Door::Parts => parts(
            &mut http,
            &ticket::query(player, &ticket::stream(0)),
            &mut counter,
        ),
    }
}

fn messages(http: &mut Http, counter: &mut Counter) -> ! {
    let mut inspector = Inspector::default();
    loop {
        let mut pings = 0;
        http.bytes(|bytes| {
            inspector.read(bytes, |event| match event {
                Event::Fragment(seen) => counter.count(&seen),
                Event::Ping => pings += 1,
                Event::Close => panic!("nobody is closed"),
                Event::Other => {}
            });
        });
        for _ in 0..pings {
            http.pong();
        }
    }
}

/// A player that knows no parts: it reloads half a target duration after it found nothing new, and a
/// whole one after it found something (RFC 8216, 6.3.4).
fn segments(http: &mut Http, query: &str, counter: &mut Counter) -> ! {
    let mut next = None;
    loop {
        let playlist = Playlist::load(http, query, "");
        let listed = playlist.whole_segments();
        let first = *next.get_or_insert(listed.end - 1);
        for number in first..listed.end {
            let uri = playlist.uri(&format!("{number}.m4s"));
            counter.boxes(&http.get(&uri));
        }
        let found = listed.end > first;
        next = Some(listed.end);
        let target = Duration::from_secs(playlist.number("#EXT-X-TARGETDURATION:"));
        sleep(if found { target } else { target / 2 });
    }
}

/// A player that is as near to the live edge as it gets: it holds a reload open, and fetches each part
/// as soon as it is listed.
fn parts(http: &mut Http, query: &str, counter: &mut Counter) -> ! {
    let mut playlist = Playlist::load(http, query, "");
    let (mut segment, mut part) = playlist.hint();
    loop {
        let wanted = format!("&_HLS_msn={segment}&_HLS_part={part}&_HLS_skip=YES");
        playlist = Playlist::load(http, query, &wanted);
        let (new_segment, new_part) = playlist.hint();
        while (segment, part) != (new_segment, new_part) {
            let name = format!("{segment}.{part}.m4s");
            if playlist.lists(&name) {
                counter.boxes(&http.get(&playlist.uri(&name)));
                part += 1;
            } else {
                (segment, part) = (segment + 1, 0);
            }
        }
    }
}

struct Playlist {
    text: String,
    directory: String,
}

impl Playlist {
    fn load(http: &mut Http, query: &str, directives: &str) -> Self {
        let directory = "/h5live/authhttp/";
        let body = http.get(&format!("{directory}playlist.m3u8?{query}{directives}"));
        let text = String::from_utf8(body).expect("a playlist is text");
        let hint = text.lines().last().expect("a playlist has lines");
        let (_, uri) = hint.split_once("URI=\"").expect("a hint");
        let (capability, _) = uri.split_once('/').expect("a capability");
        let directory = format!("{directory}{capability}/");
        Self { text, directory }
    }

    fn uri(&self, name: &str) -> String {
        format!("{}{name}", self.directory)
    }

    fn lists(&self, name: &str) -> bool {
        let mut parts = self
            .text
            .lines()
            .filter(|line| line.starts_with("#EXT-X-PART:"));
        parts.any(|line| line.contains(&format!("/{name}\"")))
    }

    fn number(&self, tag: &str) -> u64 {
        let mut lines = self.text.lines();
        let value = lines.find_map(|line| line.strip_prefix(tag));
        value.and_then(|value| value.parse().ok()).expect("a tag")
    }

    fn whole_segments(&self) -> std::ops::Range<u64> {
        let first = self.number("#EXT-X-MEDIA-SEQUENCE:");
        let whole = self
            .text
            .lines()
            .filter(|line| line.starts_with("#EXTINF:"));
        first..first + whole.count() as u64
    }

    /// The segment and the part that come next.
    fn hint(&self) -> (u64, u64) {
        let hint = self.text.lines().last().expect("a playlist has lines");
        let name = hint.rsplit('/').next().expect("a name");
        let mut numbers = name.split('.').map(|number| number.parse().ok());
        let mut number = || numbers.next().flatten().expect("a number");
        (number(), number())
    }
}

/// Sees that no fragment is missing.
struct Counter<'a> {
    last: Option<u32>,
    seen: &'a AtomicU64,
}

impl Counter<'_> {
    fn count(&mut self, seen: &Seen) {
        assert!(
            self.last.is_none_or(|last| seen.sequence == last + 1),
            "a gap"
        );
        self.last = Some(seen.sequence);
        self.seen.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what is whole in there (ISO/IEC 14496-12, 4.2).
    fn boxes(&mut self, mut bytes: &[u8]) {
        while let Some(size) = bytes.first_chunk::<4>() {
            if let Some(seen) = media::see(bytes) {
                self.count(&seen);
            }
            let size = u32::from_be_bytes(*size) as usize;
            bytes = bytes.get(size..).expect("a whole box");
        }
    }
}
