//! The WebSocket door on a real port with a real client: who gets in, what is sent, what is told.
//! Not covered: TLS, and media that a player could decode (the fragments here are stand-ins).
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/patient.rs"]
mod patient;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use h5live::http::standalone::{Authority, Listener, Offer, Options, Served, open};
use h5live::media::fragment::{Fragment, Init, Output, Span, StreamInfo};
use h5live::token::{Claims, Host, Key, Scope, Secret, StreamName, UnixSeconds, mint};
use patient::Patient;
use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket, client};

struct Door {
    listener: Listener,
    served: Served,
    key: Key,
}

fn stream() -> StreamName {
    StreamName::parse("ABCDE-demo").unwrap()
}

impl Door {
    fn open() -> Self {
        let listener = open("127.0.0.1:0".parse().unwrap(), Options::default(), false).unwrap();
        let key = Secret::new(*b"the secret of this test").unwrap().key();
        let served = listener
            .serve(Offer {
                stream: stream(),
                authority: Authority::Key(key.clone()),
                open: false,
                audience: None,
            })
            .unwrap();
        Self {
            listener,
            served,
            key,
        }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    fn query(&self, claims: &Claims) -> String {
        let minted = mint(&self.key, claims);
        let options = minted.options.bits();
        let (expires, tag) = (&minted.expires, &minted.tag);
        format!(
            "url=rtmp%3A%2F%2Forigin.test%2Flive&stream=ABCDE-demo&cid=1&pid=2&expires={expires}\
             &tag={tag}&token={}&options={options}",
            minted.token
        )
    }

    fn start(&self) {
        let publisher = self.served.publisher();
        publisher.publish(Output::Init(Init {
            bytes: Bytes::from_static(b"....ftyp"),
            info: StreamInfo {
                mime_type: "video/mp4".into(),
                video: None,
                audio: None,
            },
            continues: false,
        }));
        self.fragment("moof key", true);
    }

    fn fragment(&self, text: &'static str, random_access: bool) {
        self.served.publisher().publish(Output::Fragment(Fragment {
            bytes: Bytes::from_static(text.as_bytes()),
            random_access,
            time_ms: 1234,
            span: Span::default(),
        }));
    }
}

fn claims() -> Claims {
    Claims::of(Scope::Stream(stream()))
}

type Client = WebSocket<Patient>;

fn connect(address: SocketAddr, query: &str, origin: Option<&str>) -> Client {
    let url = format!("ws://{address}/h5live/authstream?{query}");
    let mut request = url.into_client_request().unwrap();
    if let Some(origin) = origin {
        let origin = origin.parse().unwrap();
        request.headers_mut().insert("Origin", origin);
    }
    let tcp = Patient::connect(address, Duration::from_secs(20)).unwrap();
    client(request, tcp).unwrap().0
}

/// The next message: an event's name, the bytes of a binary one, or a close code.
fn next(client: &mut Client) -> String {
    match client.read().unwrap() {
        Message::Text(text) => event(&text)["eventType"].as_str().unwrap().to_owned(),
        Message::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Message::Close(frame) => u16::from(frame.unwrap().code).to_string(),
        other => panic!("{other:?}"),
    }
}

fn event(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn sequence(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| next(client)).collect()
}

const START: [&str; 4] = [
    "onStreamInfo",
    "....ftyp",
    "onRandomAccessPoint",
    "moof key",
];

#[test]
fn a_valid_token_opens_the_stream_in_the_order_of_the_protocol() {
    let door = Door::open();
    door.start();
    let mut client = connect(door.address(), &door.query(&claims()), None);
    assert_eq!(next(&mut client), "onServerInfo");
    assert_eq!(sequence(&mut client, 4), START);
    door.fragment("moof next", false);
    assert_eq!(next(&mut client), "moof next");
}

#[test]
fn whoever_comes_first_waits_and_plays_when_the_stream_comes() {
    let door = Door::open();
    let mut client = connect(door.address(), &door.query(&claims()), None);
    assert_eq!(next(&mut client), "onServerInfo");
    door.start();
    assert_eq!(sequence(&mut client, 4), START);
    door.served.publisher().stop();
    assert_eq!(next(&mut client), "onStreamStatus");
    door.start();
    assert_eq!(sequence(&mut client, 4), START);
}

#[test]
fn refusals_are_told_by_their_code_and_nothing_is_sent_before() {
    let door = Door::open();
    door.start();
    let good = door.query(&claims());
    let expired = Claims {
        expires: Some(UnixSeconds(1_591_747_200)),
        ..claims()
    };
    let ip = Claims {
        ip: Some("192.0.2.1".parse().unwrap()),
        ..claims()
    };
    let referer = Claims {
        referer: Some(Host::bare("demo.example.de").unwrap()),
        ..claims()
    };
    let forged = {
        let other = Secret::new(*b"some other long secret").unwrap().key();
        good.replace(
            &mint(&door.key, &claims()).token,
            &mint(&other, &claims()).token,
        )
    };
    let page = Some("https://demo.example.de");
    let evil = Some("https://demo.example.de.evil.com");
    let rows: [(&str, String, Option<&str>, &str); 14] = [
        ("no token", "stream=ABCDE-demo".into(), None, "4903"),
        ("expired", door.query(&expired), None, "4903"),
        ("forged", forged, None, "4901"),
        (
            "other stream",
            good.replace("ABCDE-demo", "ABCDE-other"),
            None,
            "4901",
        ),
        (
            "a bit added",
            good.replace("options=0", "options=2"),
            None,
            "4901",
        ),
        ("another address", door.query(&ip), None, "4901"),
        ("no page", door.query(&referer), None, "4901"),
        ("null page", door.query(&referer), Some("null"), "4901"),
        ("evil page", door.query(&referer), evil, "4901"),
        ("twice options", format!("{good}&options=0"), None, "4901"),
        (
            "space in the name",
            good.replace("ABCDE-demo", "ABCDE-demo%20socks=1"),
            None,
            "4400",
        ),
        (
            "two streams",
            format!("{good}&stream=ABCDE-demo"),
            None,
            "4400",
        ),
        ("no stream", String::new(), None, "4400"),
        (
            "only checking",
            format!("{good}&flags=checkandclose"),
            None,
            "4200",
        ),
    ];
    for (name, query, origin, code) in rows {
        let mut client = connect(door.address(), &query, origin);
        assert_eq!(next(&mut client), code, "{name}");
    }
    let mut client = connect(door.address(), &door.query(&referer), page);
    assert_eq!(next(&mut client), "onServerInfo", "the right page");
}

#[test]
fn pause_play_renewal_and_a_refused_update() {
    let door = Door::open();
    door.start();
    let query = format!("{}&flags=paused", door.query(&claims()));
    let mut client = connect(door.address(), &query, None);
    assert_eq!(next(&mut client), "onServerInfo");
    client
        .send(r#"{"eventType":"onPlay","onPlay":{}}"#.into())
        .unwrap();
    assert_eq!(sequence(&mut client, 4), START);

    let token = mint(&door.key, &claims()).token;
    let update = |token: &str| {
        format!(
            r#"{{"eventType":"onUpdateSource","requestId":7,"onUpdateSource":{{"tag":"t","count":1,
            "rtmp":{{"url":"rtmp://origin.test/live","stream":"ABCDE-demo"}},
            "security":{{"expires":"","tag":"","token":"{token}","options":"0"}}}}}}"#
        )
    };
    client.send(update(&token).into()).unwrap();
    assert_eq!(next(&mut client), "onUpdateSourceSuccess");
    client.send(update("bad").into()).unwrap();
    let Message::Text(text) = client.read().unwrap() else {
        panic!("no answer");
    };
    let answer = &event(&text)["onUpdateSourceError"];
    assert_eq!(
        (&answer["code"], &answer["requestId"]),
        (&4901.into(), &7.into())
    );
    door.fragment("moof on", false);
    assert_eq!(
        next(&mut client),
        "moof on",
        "the renewal interrupted nothing"
    );
}

#[test]
fn paths_have_one_spelling() {
    let door = Door::open();
    door.start();
    let query = door.query(&claims());
    let rows = [
        ("/h5live/%61uthstream", "404"),
        ("/h5live//authstream", "404"),
        ("/h5live/./authstream", "404"),
        ("/x/../h5live/authstream", "404"),
        ("/h5live/authstream;x", "404"),
        ("/h5live/authstream%00", "404"),
        ("/h5live\\authstream", "404"),
        ("http://other.test/h5live/authstream", "400"),
        ("/healthz", "200"),
        ("/", "200"),
    ];
    for (target, status) in rows {
        let mut tcp = TcpStream::connect(door.address()).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(
            tcp,
            "GET {target}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{target}: {answer}");
        assert!(!answer.contains("moof"), "{target}");
    }
}

#[test]
fn readers_that_stand_still_disturb_nobody() {
    let door = Door::open();
    door.start();
    let query = door.query(&claims());
    let still: Vec<Client> = (0..20)
        .map(|_| connect(door.address(), &query, None))
        .collect();
    let mut reading: Vec<Client> = (0..30)
        .map(|_| connect(door.address(), &query, None))
        .collect();
    for client in &mut reading {
        assert_eq!(next(client), "onServerInfo");
        assert_eq!(sequence(client, 4), START);
    }
    // More than all buffers of one connection hold, kernel's and ours.
    let big = Box::leak(format!("moof {}", "x".repeat(100_000)).into_boxed_str());
    for n in 0..100 {
        door.fragment(big, n % 20 == 0);
        for client in &mut reading {
            let mut message = next(client);
            if n % 20 == 0 {
                assert_eq!(message, "onRandomAccessPoint");
                message = next(client);
            }
            assert_eq!(message.len(), big.len(), "fragment {n}");
        }
    }
    drop(still);
}
