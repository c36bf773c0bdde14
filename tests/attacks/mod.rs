//! Attempts at the real door, with a real origin behind it: what each attempt is told, and that the
//! origin hears of none that is refused.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::Ipv4Addr;

use h5live::token::{Claims, Minted, Scope, Secret, StreamName, mint};
use url::form_urlencoded::Serializer;

use super::support::origin::Origin;
use super::support::process::wait_until;
use super::support::publisher::{Options as Media, Publisher};
use super::support::raw::{Raw, Table, upgrade};
use super::support::server::{Options, Server};

pub const SECRET: &str = "the secret of ABCDE-demo";
pub const DEMO: &str = "ABCDE-demo";

/// Who is let in, before any stream is there; and the codes of who is not.
pub const PLAY: &str = "101 onServerInfo";
pub const INVALID: &str = "101 close 4901";
pub const EXPIRED: &str = "101 close 4903";
pub const BAD: &str = "101 close 4400";

/// A server over a real origin that has [`DEMO`], live.
pub struct Doors {
    pub server: Server,
    pub origin: Origin,
    _publisher: Publisher,
}

/// One attempt to play.
pub struct Attempt {
    pub name: String,
    pub from: Ipv4Addr,
    pub headers: String,
    pub query: String,
    pub expected: &'static str,
}

/// A token's parameters for a stream, as a row changes them.
#[derive(Clone)]
pub struct Ticket {
    pub stream: String,
    pub url: String,
    pub token: String,
    pub expires: String,
    pub tag: String,
    pub options: String,
    pub more: String,
}

/// What a token of [`DEMO`] claims that is bound to nothing else.
pub fn claims() -> Claims {
    Claims::of(Scope::Stream(StreamName::parse(DEMO).unwrap()))
}

impl Ticket {
    /// Mints offline, so also what the API would not: [`DEMO`]'s secret signs.
    pub fn new(claims: &Claims) -> Ticket {
        let minted = mint(&Secret::new(SECRET).unwrap().key(), claims);
        Ticket::of(DEMO, &minted)
    }

    /// What was minted, for a stream.
    pub fn of(stream: &str, minted: &Minted) -> Ticket {
        Ticket {
            stream: stream.to_owned(),
            url: String::new(),
            token: minted.token.clone(),
            expires: minted.expires.clone(),
            tag: minted.tag.clone(),
            options: minted.options.to_string(),
            more: String::new(),
        }
    }

    /// The same with something changed.
    pub fn with(&self, change: impl FnOnce(&mut Ticket)) -> Ticket {
        let mut ticket = self.clone();
        change(&mut ticket);
        ticket
    }

    /// As a player sends it: what is empty is left out.
    pub fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in [
            ("url", &self.url),
            ("stream", &self.stream),
            ("expires", &self.expires),
            ("tag", &self.tag),
            ("token", &self.token),
            ("options", &self.options),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish() + &self.more
    }

    /// An attempt from 127.0.0.1.
    pub fn attempt(&self, name: &str, headers: &str, expected: &'static str) -> Attempt {
        self.attempt_from(Ipv4Addr::LOCALHOST, name, headers, expected)
    }

    /// An attempt with header lines that each end with CR LF.
    pub fn attempt_from(
        &self,
        from: Ipv4Addr,
        name: &str,
        headers: &str,
        expected: &'static str,
    ) -> Attempt {
        Attempt {
            name: name.to_owned(),
            from,
            headers: headers.to_owned(),
            query: self.query(),
            expected,
        }
    }
}

impl Doors {
    /// Starts all, with lines of `[server]`, and registers [`DEMO`].
    pub fn start(lines: &str) -> Doors {
        let origin = Origin::start();
        let media = Media {
            width: 160,
            height: 90,
            fps: 10,
            keyframe_interval: 10,
            video_kbits: 100,
            ..Media::default()
        };
        let publisher = Publisher::start(&origin, DEMO, &media);
        let server = Server::start(&Options {
            server: lines.to_owned(),
            ..Options::with_origin(&origin.url("live"))
        });
        server.register(DEMO, SECRET);
        Doors {
            server,
            origin,
            _publisher: publisher,
        }
    }

    fn connect(&self, attempt: &Attempt) -> Raw {
        let mut client = Raw::connect_from(attempt.from, self.server.port());
        let target = format!("/h5live/authstream?{}", attempt.query);
        client.send(&upgrade(target.as_bytes(), &attempt.headers));
        client
    }

    /// Tries all: those that must be refused first, while nobody plays, so that a connection that the
    /// origin sees is one too many; then, while the stream's media is here, once more.
    pub fn try_all(&self, attempts: &[Attempt]) {
        let mut table = Table::default();
        let before = self.origin.connections();
        let refused = || attempts.iter().filter(|attempt| attempt.expected != PLAY);
        for attempt in refused() {
            let found = self.connect(attempt).outcome();
            table.row(&attempt.name, &found, attempt.expected);
        }
        table.check();
        assert_eq!(self.origin.connections(), before, "an origin was dialled");
        // Pulls are started in order: when this one has arrived, those before it would have.
        self.server.register("ABCDE-control", SECRET);
        let control = Claims::of(Scope::Stream(StreamName::parse("ABCDE-control").unwrap()));
        let control = mint(&Secret::new(SECRET).unwrap().key(), &control);
        let control = Ticket::of("ABCDE-control", &control).attempt("control", "", PLAY);
        let mut watching = self.connect(&control);
        assert_eq!(watching.outcome(), PLAY, "{}", self.server.log());
        wait_until("the origin to be asked for the control", || {
            (self.origin.plays("ABCDE-control") > 0).then_some(())
        });
        assert_eq!(self.origin.plays(DEMO), 0, "a refused stream was pulled");
        drop(watching);

        let mut player = self.connect(&Ticket::new(&claims()).attempt("player", "", PLAY));
        assert_eq!(player.outcome(), PLAY);
        assert_eq!(player.next(), "onStreamInfo", "{}", self.server.log());
        assert_eq!(player.next(), "binary");
        for attempt in refused() {
            let found = self.connect(attempt).outcome();
            let name = format!("{}, while it plays", attempt.name);
            table.row(&name, &found, attempt.expected);
        }
        for attempt in attempts.iter().filter(|attempt| attempt.expected == PLAY) {
            table.row(&attempt.name, &self.connect(attempt).outcome(), PLAY);
        }
        table.check();
    }
}
