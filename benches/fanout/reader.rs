//! One reader that is in. Some are watched: each of their messages is looked at. The others are drained: the
//! kernel throws their bytes away and says how many it were, which costs half as much and no copy.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use rustls::ClientConnection;

use super::connect::Entered;
use super::inspect::{Event, Inspector};
use super::line::Line;
use super::open::Opener;
use super::specimen::Specimen;
use super::support::drain::{acknowledge, drop_all};
use super::tally::Tally;

/// A pong without payload, masked with zeros as it must be masked (RFC 6455, 5.3).
const PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];
/// The same as a record of TLS 1.3.
const SEALED_PONG: usize = 5 + PONG.len() + 1 + 16;

/// How often those who see no ping say that they are there (RFC 6455, 5.5.3); the server asks each 20 s and
/// waits for twice as long.
const PONG_EVERY: u64 = 15_000_000_000;
/// Enough for five minutes.
const SEALED_PONGS: usize = 20;

pub struct Reader {
    pub socket: TcpStream,
    pub number: u64,
    /// Of the last read.
    at: u64,
    view: View,
    pub closed: bool,
}

enum View {
    Watched(Box<Watched>),
    Drained(Drained),
}

struct Watched {
    inspector: Inspector,
    last: Option<u32>,
    /// When its last fragment was whole.
    at: u64,
    cipher: Cipher,
    specimen: Option<Specimen>,
}

enum Cipher {
    None,
    Tls(Box<ClientConnection>),
    /// The floor's.
    Sealed(Box<Opener>),
}

#[derive(Default)]
struct Drained {
    bytes: u64,
    /// How many it were when the window began.
    before: u64,
    ponged_at: u64,
    /// Of a TLS reader: sealed while its keys were at hand.
    pongs: Vec<u8>,
}

impl Reader {
    /// Takes over a reader that has come in. `sealed`: by the floor, so without a handshake.
    pub fn new(entered: Entered, watched: bool, sealed: bool, specimen: Option<Specimen>) -> Self {
        let (tcp, mut tls) = match entered.line {
            Line::Plain(tcp) => (tcp, None),
            Line::Tls(tls) => (tls.sock, Some(tls.conn)),
        };
        tcp.set_nonblocking(true).expect("a TCP socket");
        acknowledge(&tcp);
        let view = match watched {
            true => View::Watched(Box::new(Watched {
                inspector: Inspector::default(),
                last: None,
                at: 0,
                cipher: match tls {
                    Some(tls) => Cipher::Tls(Box::new(tls)),
                    None if sealed => Cipher::Sealed(Box::default()),
                    None => Cipher::None,
                },
                specimen,
            })),
            false => View::Drained(Drained {
                pongs: tls.as_mut().map(sealed_pongs).unwrap_or_default(),
                ..Drained::default()
            }),
        };
        Self {
            socket: TcpStream::from_std(tcp),
            number: entered.number,
            at: 0,
            view,
            closed: false,
        }
    }

    /// Takes what it was sent before it was handed over.
    pub fn catch_up(&mut self, bytes: &[u8], now: u64, tally: &mut Tally) {
        if let View::Watched(watched) = &mut self.view {
            watched.take(&mut self.socket, bytes, now, tally);
        }
    }

    /// Reads all there is.
    pub fn read(&mut self, buffer: &mut [u8], now: u64, tally: &mut Tally) {
        if self.closed {
            return;
        }
        tally.silence(self.at, now);
        self.at = now;
        let read = match &mut self.view {
            View::Watched(watched) => watched.read(&mut self.socket, buffer, now, tally),
            View::Drained(drained) => drained.read(&mut self.socket, buffer, now),
        };
        if read.is_err() {
            self.closed = true;
            tally.closed += 1;
        }
    }

    /// A window begins.
    pub fn mark(&mut self) {
        if let View::Drained(drained) = &mut self.view {
            drained.before = drained.bytes;
        }
    }

    /// The sequence number of the last fragment, of one who is watched.
    pub fn last(&self) -> Option<u32> {
        match &self.view {
            View::Watched(watched) => Some(watched.last.unwrap_or(0)),
            View::Drained(_) => None,
        }
    }

    /// How many bytes have come since the mark, of one who is not.
    pub fn drained(&self) -> Option<u64> {
        match &self.view {
            View::Watched(_) => None,
            View::Drained(drained) => Some(drained.bytes - drained.before),
        }
    }

    /// What is kept to be looked at closely.
    pub fn specimen(&self) -> Option<&Specimen> {
        match &self.view {
            View::Watched(watched) => watched.specimen.as_ref(),
            View::Drained(_) => None,
        }
    }
}

fn sealed_pongs(tls: &mut ClientConnection) -> Vec<u8> {
    let mut all = Vec::with_capacity(SEALED_PONGS * SEALED_PONG);
    for _ in 0..SEALED_PONGS {
        let written = tls.writer().write_all(&PONG);
        written
            .and_then(|()| tls.write_tls(&mut all))
            .expect("memory takes it");
    }
    all
}

impl Watched {
    fn read(
        &mut self,
        socket: &mut TcpStream,
        buffer: &mut [u8],
        now: u64,
        tally: &mut Tally,
    ) -> io::Result<()> {
        loop {
            let read = match &mut self.cipher {
                Cipher::None => socket.read(buffer),
                Cipher::Tls(tls) => read_tls(tls, socket, buffer),
                Cipher::Sealed(opener) => opener.read(socket, buffer),
            };
            match read {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.take(socket, &buffer[..length], now, tally),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, socket: &mut TcpStream, bytes: &[u8], now: u64, tally: &mut Tally) {
        if let Some(specimen) = &mut self.specimen {
            specimen.keep(bytes);
        }
        let Self {
            inspector,
            last,
            at,
            cipher,
            ..
        } = self;
        inspector.read(bytes, |event| match event {
            Event::Fragment(seen) => {
                tally.fragment(*last, &seen, *at, now);
                *last = Some(seen.sequence);
                *at = now;
            }
            Event::Ping => {
                // A few bytes always fit into a socket that nothing else is written to.
                let _ = match cipher {
                    // The floor asks nobody.
                    Cipher::None | Cipher::Sealed(_) => socket.write(&PONG),
                    Cipher::Tls(tls) => {
                        let written = tls.writer().write_all(&PONG);
                        written.and_then(|()| tls.write_tls(socket))
                    }
                };
                acknowledge(&*socket);
            }
            Event::Close => tally.closed += 1,
            Event::Other => {}
        });
    }
}

fn read_tls(
    tls: &mut ClientConnection,
    socket: &mut TcpStream,
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => return done,
        }
        if tls.read_tls(socket)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(io::Error::other)?;
    }
}

impl Drained {
    fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8], now: u64) -> io::Result<()> {
        self.bytes += drop_all(&*socket, buffer)?;
        if now > self.ponged_at + PONG_EVERY {
            self.pong(socket, now);
        }
        Ok(())
    }

    fn pong(&mut self, socket: &mut TcpStream, now: u64) {
        let first = self.ponged_at == 0;
        self.ponged_at = now;
        if first {
            // It has just come in.
            return;
        }
        let _ = match self.pongs.is_empty() {
            true => socket.write(&PONG),
            false => {
                let pong: Vec<u8> = self.pongs.drain(..SEALED_PONG).collect();
                socket.write(&pong)
            }
        };
        acknowledge(&*socket);
    }
}
