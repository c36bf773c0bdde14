//! `stream.mp4` by the byte: what it begins with, how it ends, and what becomes of clients that read
//! slowly or not at all. The fragments are stand-ins, which tell their number.
//!
//! Not covered: players and who is let in (`progressive.rs`, `doors_refuse.rs`).
#![cfg(feature = "gst")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h5live::http::standalone::{Authority, Listener, Offer, Options, Served, open};
use h5live::media::fragment::{Fragment, Init, Output, Span, StreamInfo};
use h5live::token::{Claims, Scope, Secret, StreamName, mint};
use socket2::{Domain, Socket, Type};

/// What a fragment weighs where weight matters, and how many go from keyframe to keyframe.
const HEAVY: usize = 64 * 1024;
const GOP: u32 = 10;

struct Door {
    listener: Listener,
    served: Served,
    target: String,
}

impl Door {
    fn open() -> Door {
        let listener = open("127.0.0.1:0".parse().unwrap(), Options::default(), false).unwrap();
        let stream = StreamName::parse("ABCDE-demo").unwrap();
        let key = Secret::new(*b"the secret of this test").unwrap().key();
        let served = listener
            .serve(Offer {
                stream: stream.clone(),
                authority: Authority::Key(key.clone()),
                open: false,
                audience: None,
            })
            .unwrap();
        let token = mint(&key, &Claims::of(Scope::Stream(stream))).token;
        Door {
            listener,
            served,
            target: format!(
                "/h5live/authhttp/stream.mp4?stream=ABCDE-demo&token={token}&options=0"
            ),
        }
    }

    fn init(&self, bytes: &'static str, continues: bool) {
        self.served.publisher().publish(Output::Init(Init {
            bytes: Bytes::from_static(bytes.as_bytes()),
            info: StreamInfo {
                mime_type: "video/mp4".into(),
                video: None,
                audio: None,
            },
            continues,
        }));
    }

    fn fragment(&self, number: u32, weight: usize) {
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.resize(weight, 0);
        self.served.publisher().publish(Output::Fragment(Fragment {
            bytes: bytes.into(),
            random_access: number.is_multiple_of(GOP),
            time_ms: 0,
            span: Span::default(),
        }));
    }

    fn fetch(&self) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let address: SocketAddr = self.listener.local_addr();
        socket.connect(&address.into()).unwrap();
        let mut tcp = TcpStream::from(socket);
        tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            tcp,
            "GET {} HTTP/1.1\r\nHost: play.test\r\n\r\n",
            self.target
        )
        .unwrap();
        Client(BufReader::new(tcp))
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "{head}");
        }
        head
    }

    /// The next chunk; `None` at the end of the body.
    fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let length =
            usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("{line:?}"));
        let mut chunk = vec![0; length + 2];
        self.0.read_exact(&mut chunk).unwrap();
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    fn number(&mut self) -> u32 {
        let chunk = self.chunk().expect("a fragment");
        u32::from_be_bytes(*chunk.first_chunk().unwrap())
    }
}

#[test]
fn it_begins_with_init_and_keyframe_and_goes_on() {
    let door = Door::open();
    door.init("ftypmoov", false);
    for number in 0..13 {
        door.fragment(number, 8);
    }
    door.served.publisher().metadata("onMetaData", "{}");
    let mut client = door.fetch();
    let head = client.head().to_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    for line in [
        "content-type: video/mp4",
        "transfer-encoding: chunked",
        "cache-control: private, no-store",
        "accept-ranges: none",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert_eq!(client.chunk().unwrap(), b"ftypmoov");
    assert_eq!(
        [client.number(), client.number(), client.number()],
        [10, 11, 12]
    );
    door.fragment(13, 8);
    assert_eq!(client.number(), 13);
}

#[test]
fn it_ends_where_the_stream_cannot_go_on_in_one_file() {
    type Ending = (&'static str, fn(&Door));
    let endings: [Ending; 3] = [
        ("a stop", |door| door.served.publisher().stop()),
        ("other tracks", |door| door.init("ftypmoo2", false)),
        ("another picture size", |door| door.init("ftypmoo2", true)),
    ];
    for (name, end) in endings {
        let door = Door::open();
        door.init("ftypmoov", false);
        door.fragment(0, 8);
        let mut client = door.fetch();
        client.head();
        assert_eq!(client.chunk().unwrap(), b"ftypmoov", "{name}");
        assert_eq!(client.number(), 0, "{name}");
        end(&door);
        assert_eq!(client.chunk(), None, "{name}");
        // Whoever comes again waits for what comes.
        let mut again = door.fetch();
        door.init("ftypmoo2", false);
        door.fragment(10, 8);
        again.head();
        assert_eq!(again.chunk().unwrap(), b"ftypmoo2", "{name}");
        assert_eq!(again.number(), 10, "{name}");
    }
}

#[test]
fn a_slow_client_skips_to_a_keyframe_and_holds_little() {
    let door = Door::open();
    door.init("ftypmoov", false);
    door.fragment(0, HEAVY);
    let mut client = door.fetch();
    client.head();
    client.chunk().unwrap();
    assert_eq!(client.number(), 0);
    for number in 1..=300 {
        door.fragment(number, HEAVY);
    }
    let mut last = 0;
    let mut skipped = false;
    while last < 300 {
        let number = client.number();
        if number != last + 1 {
            assert!(
                number > last && number.is_multiple_of(GOP),
                "{last}, {number}"
            );
            assert!(
                skipped || last as usize * HEAVY < 3 << 20,
                "{last} were held"
            );
            skipped = true;
        }
        last = number;
    }
    assert!(skipped, "300 fragments of 64 KiB were held for one client");
}

#[test]
fn a_client_that_stands_still_is_closed() {
    let door = Door::open();
    door.init("ftypmoov", false);
    door.fragment(0, HEAVY);
    let mut client = door.fetch();
    client.head();
    let begun = Instant::now();
    let mut number = 0;
    // The server's kernel answers a byte to a socket that was closed with a reset.
    while client.0.get_mut().write_all(b"x").is_ok() {
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "it is still open"
        );
        number += 1;
        door.fragment(number, HEAVY);
        std::thread::sleep(Duration::from_millis(50));
    }
    let stall = h5live::http::listener::Limits::default().stall;
    assert!(begun.elapsed() >= stall, "after {:?}", begun.elapsed());
}
