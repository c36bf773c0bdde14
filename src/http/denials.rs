//! The last viewers who were not let in, for the operator's eyes: whom, where, and exactly why.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::admit::Refusal;
use super::way::Way;
use crate::token::{Query, StreamName};

/// How many are remembered.
pub const REMEMBERED: usize = 100;

/// One of them. Holds nothing that opens anything.
#[derive(Clone, Debug)]
pub struct Denial {
    /// When.
    pub at: SystemTime,
    /// By which door.
    pub way: Way,
    /// The stream that was asked for, where the request names one that can be one.
    pub stream: Option<StreamName>,
    /// Who asked.
    pub client: IpAddr,
    /// Why.
    pub refusal: Refusal,
}

/// The last of a process.
#[derive(Debug, Default)]
pub struct Denials(Mutex<VecDeque<Denial>>);

impl Denials {
    /// Remembers one. A session that we ended is none: its player asks again and again, and would push
    /// all others out.
    pub fn note(&self, way: Way, stream: Option<StreamName>, client: IpAddr, refusal: &Refusal) {
        if matches!(refusal, Refusal::Ended(_)) {
            return;
        }
        let denial = Denial {
            at: SystemTime::now(),
            way,
            stream,
            client,
            refusal: refusal.clone(),
        };
        let mut ring = self.lock();
        if ring.len() == REMEMBERED {
            ring.pop_front();
        }
        ring.push_back(denial);
    }

    /// All that are remembered, the latest first.
    pub fn latest(&self) -> Vec<Denial> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Denial>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream that a query names.
pub(super) fn stream_of(query: &str) -> Option<StreamName> {
    let query = Query::parse(query).ok()?;
    let name = query.get("stream").ok()??;
    let name = name.split_once('?').map_or(name, |(name, _)| name);
    StreamName::parse(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_an_ended_session_is_none() {
        let denials = Denials::default();
        let client = IpAddr::from([192, 0, 2, 1]);
        let stream = stream_of("token=x&stream=ABCDE-demo%3Fa%3Db");
        assert_eq!(stream.as_ref().map(StreamName::as_str), Some("ABCDE-demo"));
        assert_eq!(stream_of("stream=a%20b"), None);
        let ended = Refusal::Ended(super::super::leases::End::Withdrawn);
        denials.note(Way::Hls, stream.clone(), client, &ended);
        assert!(denials.latest().is_empty());
        denials.note(Way::Hls, stream, client, &Refusal::Full);
        for _ in 0..REMEMBERED {
            denials.note(Way::WebSocket, None, client, &Refusal::PageOrigin);
        }
        let latest = denials.latest();
        assert_eq!(latest.len(), REMEMBERED);
        assert!(latest.iter().all(|denial| denial.way == Way::WebSocket));
    }
}
