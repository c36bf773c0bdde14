//! What a client asks for, and what of it is handed on. Pure.
//!
//! Nothing is handed on as it came: a request is made anew of what is known to be harmless, without the
//! query, and so without the token, that stands in its URL.

use std::fmt::Write;

use super::message::{Malformed, Message};

/// What a client may ask; RFC 2326, 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Options,
    Describe,
    Setup,
    Play,
    Pause,
    Teardown,
    GetParameter,
    SetParameter,
    /// To publish, which nobody may here.
    Record,
    Unknown,
}

/// The methods that [`Method::Options`] names.
pub(super) const PUBLIC: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";

/// Headers that are handed on. Not among them: what would seek in media that others watch too.
const HANDED_ON: [&str; 4] = ["CSeq", "Session", "Accept", "Require"];

/// A request as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub method: Method,
    /// `None` where it is `*`, or no URL that we answer.
    pub target: Option<Target>,
    pub message: Message,
}

/// The URL of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// All that stands before the path.
    base: String,
    /// The first segment of the path.
    pub stream: String,
    /// What follows it.
    pub below: String,
    /// The query: never to be logged, and never handed on.
    pub query: String,
}

impl Request {
    /// Reads a message that should be a request.
    pub fn read(message: Message) -> Result<Self, Malformed> {
        let mut words = message.line.split(' ');
        let (method, url) = (words.next(), words.next());
        let (Some(method), Some(url), Some("RTSP/1.0"), None) =
            (method, url, words.next(), words.next())
        else {
            return Err(Malformed::Message);
        };
        for name in HANDED_ON.into_iter().chain(["Transport"]) {
            message.header(name)?;
        }
        Ok(Self {
            method: Method::read(method),
            target: Target::read(url),
            message,
        })
    }

    /// The same without what is not to be handed on; `transport` is what is left of that header.
    pub fn handed_on(&self, target: &Target, transport: Option<&str>) -> String {
        let mut text = format!(
            "{} {}/{}{} RTSP/1.0\r\n",
            self.method.name(),
            target.base,
            target.stream,
            target.below
        );
        for name in HANDED_ON {
            if let Ok(Some(value)) = self.message.header(name) {
                // Writing to a text can't fail.
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        if let Some(transport) = transport {
            let _ = write!(text, "Transport: {transport}\r\n");
        }
        text + "\r\n"
    }

    /// What it offers to be sent media by, without what may not be: to another address than its own, to
    /// many, and, unless `udp`, in datagrams. `None`: nothing is left.
    pub fn transports(&self, udp: bool) -> Option<String> {
        let offered = self.message.header("Transport").ok()??;
        let may_be = |offer: &&str| {
            let mut fields = offer.split(';').map(str::trim);
            let by_tcp = match fields.next() {
                Some("RTP/AVP/TCP") => true,
                Some("RTP/AVP" | "RTP/AVP/UDP") => false,
                _ => return false,
            };
            let harmless = |field: &str| {
                let name = field.split('=').next().unwrap_or_default();
                matches!(
                    name,
                    "unicast" | "interleaved" | "client_port" | "mode" | "ssrc"
                )
            };
            (by_tcp || udp) && fields.all(harmless)
        };
        let left: Vec<_> = offered.split(',').map(str::trim).filter(may_be).collect();
        (!left.is_empty()).then(|| left.join(","))
    }
}

impl Method {
    fn read(word: &str) -> Self {
        match word {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "SETUP" => Self::Setup,
            "PLAY" => Self::Play,
            "PAUSE" => Self::Pause,
            "TEARDOWN" => Self::Teardown,
            "GET_PARAMETER" => Self::GetParameter,
            "SET_PARAMETER" => Self::SetParameter,
            "ANNOUNCE" | "RECORD" => Self::Record,
            _ => Self::Unknown,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Options => "OPTIONS",
            Self::Describe => "DESCRIBE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Pause => "PAUSE",
            Self::Teardown => "TEARDOWN",
            // A body is not handed on; without one, both ask for a sign of life only.
            Self::GetParameter | Self::SetParameter => "GET_PARAMETER",
            Self::Record => "RECORD",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl Target {
    /// Reads a URL. It is compared as it was sent: a stream has one spelling.
    fn read(url: &str) -> Option<Self> {
        let scheme = ["rtsp://", "rtsps://"]
            .into_iter()
            .find(|scheme| starts_with(url, scheme))?;
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let path = address.get(scheme.len()..)?.find('/')? + scheme.len();
        let (base, path) = address.split_at(path);
        let (stream, below) = path[1..].split_at(path[1..].find('/').unwrap_or(path.len() - 1));
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let is_below = |byte: u8| byte.is_ascii_alphanumeric() || b"/=-_".contains(&byte);
        let host = &base[scheme.len()..];
        (!host.is_empty() && host.bytes().all(is_host) && below.bytes().all(is_below)).then(|| {
            Self {
                base: base.to_owned(),
                stream: stream.to_owned(),
                below: below.to_owned(),
                query: query.to_owned(),
            }
        })
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// An answer of our own, with further headers, each with the end of its line.
pub(super) fn answer(request: Option<&Message>, status: (u16, &str), headers: &str) -> String {
    let cseq = request.and_then(|request| request.header("CSeq").ok().flatten());
    let cseq = cseq.map_or_else(String::new, |cseq| format!("CSeq: {cseq}\r\n"));
    format!("RTSP/1.0 {} {}\r\n{cseq}{headers}\r\n", status.0, status.1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Request, Malformed> {
        Request::read(Message::read(text.as_bytes())?)
    }

    #[test]
    fn what_is_handed_on_has_no_token_and_nothing_that_moves_others() {
        let request = request(
            "PLAY rtsp://h:8554/ABCDE-demo/?token=secret&x=/stream=0 RTSP/1.0\r\nCSeq: 4\r\nRange: npt=9-\r\n\
             Speed: 4\r\nsession: 1\r\nAuthorization: Basic x\r\nContent-Length: 3\r\n\r\n",
        )
        .unwrap();
        let target = request.target.clone().unwrap();
        assert_eq!(target.query, "token=secret&x=/stream=0");
        assert_eq!(
            request.handed_on(&target, None),
            "PLAY rtsp://h:8554/ABCDE-demo/ RTSP/1.0\r\nCSeq: 4\r\nSession: 1\r\n\r\n"
        );
    }

    #[test]
    fn a_url_has_one_spelling() {
        let target = |url| Target::read(url).map(|it| (it.stream, it.below, it.query));
        let some = |stream: &str, below: &str, query: &str| {
            Some((stream.to_owned(), below.to_owned(), query.to_owned()))
        };
        for (url, expected) in [
            ("rtsp://h/s?a=b?c", some("s", "", "a=b?c")),
            ("RTSPS://[::1]:322/s/stream=1", some("s", "/stream=1", "")),
            ("rtsp://h/", some("", "", "")),
            ("rtsp://h", None),
            ("rtsp:///s", None),
            ("rtsp://user:password@h/s", None),
            ("http://h/s", None),
            ("rtsp://h/s/%2e", None),
            ("rtsp://h/s/../t", None),
            ("*", None),
        ] {
            assert_eq!(target(url), expected, "{url}");
        }
    }

    #[test]
    fn media_goes_to_the_client_itself_only() {
        let left = |offer: &str, udp| {
            let text = format!("SETUP rtsp://h/s RTSP/1.0\r\nTransport: {offer}\r\n\r\n");
            request(&text).unwrap().transports(udp)
        };
        let udp = "RTP/AVP;unicast;client_port=5000-5001";
        let tcp = "RTP/AVP/TCP;unicast;interleaved=0-1";
        assert_eq!(left(udp, true).as_deref(), Some(udp));
        assert_eq!(left(udp, false), None);
        assert_eq!(left(&format!("{udp}, {tcp}"), false).as_deref(), Some(tcp));
        for offer in [
            "RTP/AVP;multicast",
            "RTP/AVP;unicast;destination=192.0.2.1;client_port=5000-5001",
            "RTP/AVP;unicast;source=192.0.2.1;client_port=5000-5001",
            "RTP/SAVP;unicast;client_port=5000-5001",
        ] {
            assert_eq!(left(offer, true), None, "{offer}");
        }
    }

    #[test]
    fn what_is_no_request_is_none() {
        for line in [
            "RTSP/1.0 200 OK",
            "GET / HTTP/1.1",
            "PLAY x",
            "PLAY  x RTSP/1.0",
        ] {
            let text = format!("{line}\r\n\r\n");
            assert_eq!(request(&text), Err(Malformed::Message), "{line}");
        }
        let twice = "SETUP rtsp://h/s RTSP/1.0\r\nSession: 1\r\nSession: 2\r\n\r\n";
        assert_eq!(request(twice), Err(Malformed::Message));
    }
}
