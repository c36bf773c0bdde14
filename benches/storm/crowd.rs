//! Those who storm: they connect, show a token, and leave with their verdict; others take their place at
//! once. Every second token is no good, and what comes then is looked at to the last byte.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::ticket;
use super::wire::{Way, Wire};

/// Below what takes a viewer's player to give up; longer is a defect and no figure.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a close frame with a code begins with (RFC 6455, 5.5.1).
const CLOSE: u8 = 0x88;

struct Visitor {
    wire: Wire,
    request: Vec<u8>,
    sent: usize,
    answer: Vec<u8>,
    forged: bool,
    begun: Instant,
}

/// What all verdicts were.
#[derive(Default)]
pub struct Verdicts {
    /// By what was told: `valid 4200`, `forged 4901`, and whatever must not be.
    pub told: BTreeMap<String, u64>,
    /// Bytes behind the close frame of those with forged tokens.
    pub leaked: u64,
    /// Milliseconds from connect() to the verdict.
    pub times: Vec<f64>,
    /// Connections that broke.
    pub broken: u64,
}

/// Storms for so long, so many at once.
pub fn run(way: &Way, at_once: usize, time: Duration) -> Verdicts {
    let mut poll = Poll::new().expect("an epoll");
    let mut verdicts = Verdicts::default();
    let mut numbers = 1_000_000..;
    let start = Instant::now();
    let mut enter = |poll: &Poll, place: usize| -> Option<Visitor> {
        let number = numbers.next()?;
        if start.elapsed() >= time {
            return None;
        }
        let forged = number % 2 == 1;
        let begun = Instant::now();
        let wire = way.connect(number, poll.registry(), Token(place));
        Some(Visitor {
            wire: wire.expect("this machine has ports"),
            request: request(number, forged).into_bytes(),
            sent: 0,
            answer: Vec::new(),
            forged,
            begun,
        })
    };
    let mut visitors: Vec<Option<Visitor>> =
        (0..at_once).map(|place| enter(&poll, place)).collect();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    while visitors.iter().any(Option::is_some) {
        assert!(start.elapsed() < time + PATIENCE, "some get no verdict");
        if let Err(error) = poll.poll(&mut events, Some(Duration::from_secs(1))) {
            assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
            continue;
        }
        for event in &events {
            let place = event.token().0;
            let Some(visitor) = &mut visitors[place] else {
                continue;
            };
            match visitor.turn(&mut buffer) {
                Ok(false) => continue,
                Ok(true) => visitor.tell(&mut verdicts),
                Err(_) => verdicts.broken += 1,
            }
            visitors[place] = None;
            visitors[place] = enter(&poll, place);
        }
    }
    verdicts
}

/// Those with a good token have it checked only, as players do that will play by HLS. The forged ones are
/// altered, or for another stream, one that nobody plays: whoever let it in would pull it.
fn request(number: u64, forged: bool) -> String {
    let request = ticket::request(number, &ticket::stream(0));
    match number % 4 {
        _ if !forged => request.replacen("&cid=", "&flags=checkandclose&cid=", 1),
        1 => {
            let (head, token) = request.split_once("&token=").expect("a token");
            let other = if token.starts_with('A') { "B" } else { "A" };
            format!("{head}&token={other}{}", &token[1..])
        }
        _ => {
            let other = format!("BENCH-nobody{number}");
            request.replacen(ticket::stream(0).as_str(), &other, 1)
        }
    }
}

impl Visitor {
    /// Goes on; true once the server has said all.
    fn turn(&mut self, buffer: &mut [u8]) -> std::io::Result<bool> {
        let mut rest = &self.request[self.sent..];
        let sent = self.wire.send(&mut rest)?;
        self.sent = self.request.len() - rest.len();
        if !sent {
            return Ok(false);
        }
        while let Some(length) = self.wire.read(buffer)? {
            if length == 0 {
                return Ok(true);
            }
            self.answer.extend_from_slice(&buffer[..length]);
            if self.code().is_some() {
                // The server waits until the client goes; what else it sends lies here already.
                while let Some(length @ 1..) = self.wire.read(buffer)? {
                    self.answer.extend_from_slice(&buffer[..length]);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn body(&self) -> Option<&[u8]> {
        let end = self
            .answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")?;
        Some(&self.answer[end + 4..])
    }

    /// The close code, once its frame is whole, and what stands behind it.
    fn code(&self) -> Option<(u16, usize)> {
        match *self.body()? {
            [CLOSE, length, high, low, ref rest @ ..] => {
                let left = usize::from(length).checked_sub(2)?;
                let behind = rest.len().checked_sub(left)?;
                Some((u16::from_be_bytes([high, low]), behind))
            }
            _ => None,
        }
    }

    fn tell(&self, verdicts: &mut Verdicts) {
        let who = if self.forged { "forged" } else { "valid" };
        let told = match self.code() {
            Some((code, behind)) => {
                verdicts.leaked += behind as u64;
                format!("{who} {code}")
            }
            None => format!("{who} {}", String::from_utf8_lossy(&self.answer)),
        };
        *verdicts.told.entry(told).or_default() += 1;
        let took = self.begun.elapsed();
        verdicts.times.push(took.as_secs_f64() * 1000.0);
    }
}
