//! The paths that are counted.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};

use h5live::media::fragment::Output;
use h5live::token::{Facts, KeyLookup, Parameters, Presented, Query};

use super::inspect::{Event, Inspector};
use super::media::{self, FRAMES_PER_SECOND, Stream};
use super::server::Doors;
use super::setup::Setup;
use super::ticket;

/// A viewer's query, as a door reads and verifies it.
pub fn verify(times: u64) {
    let query = ticket::query(1, &ticket::stream(0));
    let key = ticket::key();
    let facts = Facts {
        ip: IpAddr::from(Ipv4Addr::LOCALHOST),
        referer: None,
    };
    for _ in 0..times {
        let query = Query::parse(black_box(&query)).expect("a query");
        let parameters = Parameters::from_query(&query).expect("parameters");
        let presented = Presented::read(&parameters, &ticket::stream(0)).expect("a token");
        let key = KeyLookup::Found(key.clone());
        let grant = presented.verify(key, &facts, ticket::now(), 0);
        assert!(black_box(grant).is_ok());
    }
}

/// Doors, and a stream that begins behind them. valgrind knows no io_uring, so it is epoll that is counted.
fn stream(fragments: u64) -> (Doors, Stream) {
    let setup = Setup {
        epoll: true,
        ..Setup::default()
    };
    let doors = Doors::open(&setup, 1);
    let stream = Stream::make(setup.kbit, fragments / FRAMES_PER_SECOND);
    doors.publishers[0].publish(Output::Init(stream.init.clone()));
    (doors, stream)
}

/// Access units through the muxer into a stream that nobody watches.
pub fn publish(fragments: u64) {
    let (doors, stream) = stream(fragments);
    for fragment in stream.frames {
        doors.publishers[0].publish(Output::Fragment(fragment));
    }
}

/// Fragments to clients that read each of them before the next comes.
pub fn fanout(fragments: u64, clients: u64) {
    let (doors, stream) = stream(fragments);
    let mut clients: Vec<Client> = (0..clients)
        .map(|number| Client::enter(&doors, number))
        .collect();
    let mut buffer = vec![0; 256 * 1024];
    for frame in stream.frames {
        let sequence = media::see(&frame.bytes).expect("a fragment").sequence;
        doors.publishers[0].publish(Output::Fragment(frame));
        for client in &mut clients {
            client.read_up_to(sequence, &mut buffer);
        }
    }
}

struct Client {
    socket: TcpStream,
    inspector: Inspector,
}

impl Client {
    fn enter(doors: &Doors, number: u64) -> Self {
        let mut socket = TcpStream::connect(doors.address).expect("the server listens");
        let request = ticket::request(number, &ticket::stream(0));
        socket.write_all(request.as_bytes()).expect("a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        Self {
            socket,
            inspector: Inspector::default(),
        }
    }

    fn read_up_to(&mut self, sequence: u32, buffer: &mut [u8]) {
        let mut there = false;
        while !there {
            let length = self.socket.read(buffer).expect("a fragment");
            assert!(length > 0, "nobody is closed");
            self.inspector.read(&buffer[..length], |event| {
                there |= matches!(event, Event::Fragment(seen) if seen.sequence == sequence);
            });
        }
    }
}
