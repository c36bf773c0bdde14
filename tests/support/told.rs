//! What an element tells: its signals and messages, awaited with a deadline.

#![allow(dead_code)] // each test uses a part of it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "patient.rs"]
#[allow(clippy::duplicate_mod)] // a test may have another part of the support that reads too
mod patient;

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use h5live::token::{Claims, Scope, Secret, StreamName, Tag, UnixSeconds, mint};
use patient::Patient;
use tungstenite::{Message, WebSocket, client};

/// How long anything may take to happen; only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Of `bench.rs`.
const SECRET: &str = "the secret of this bench";

/// Hears a signal with an id and a structure.
pub fn clients(element: &gst::Element, signal: &str) -> Receiver<(u64, gst::Structure)> {
    let (told, heard) = mpsc::channel();
    element.connect(signal, false, move |values| {
        let structure = values[2].get::<gst::Structure>().unwrap();
        told.send((values[1].get().unwrap(), structure)).unwrap();
        None
    });
    heard
}

/// The next one.
pub fn next<T>(heard: &Receiver<T>) -> T {
    heard.recv_timeout(PATIENCE).expect("it is told in time")
}

/// The next element message of a name on a bus.
pub fn message(bus: &gst::Bus, name: &str) -> gst::Structure {
    loop {
        let found = bus.timed_pop_filtered(
            gst::ClockTime::from_seconds(PATIENCE.as_secs()),
            &[gst::MessageType::Element],
        );
        let message = found.unwrap_or_else(|| panic!("no {name} on the bus"));
        if let Some(structure) = message.structure().filter(|it| it.name() == name) {
            return structure.to_owned();
        }
    }
}

/// The query of a good token for a stream.
pub fn query(stream: &str, tag: Option<&str>, expires: Option<u64>) -> String {
    let key = Secret::new(SECRET.as_bytes()).unwrap().key();
    let mut claims = Claims::of(Scope::Stream(StreamName::parse(stream).unwrap()));
    claims.tag = tag.map(|tag| Tag::parse(tag).unwrap());
    claims.expires = expires.map(UnixSeconds);
    let minted = mint(&key, &claims);
    let mut query = format!("stream={stream}&token={}", minted.token);
    query += &format!(
        "&options={}",
        u8::from(tag.is_some()) * 8 + u8::from(expires.is_some())
    );
    query += &tag.map_or(String::new(), |tag| format!("&tag={tag}"));
    query + &expires.map_or(String::new(), |at| format!("&expires={at}"))
}

/// A client with a query of its own.
pub struct Client(WebSocket<Patient>);

impl Client {
    /// At the gated door.
    pub fn new(port: u16, query: &str) -> Self {
        Self::at(port, "authstream", query)
    }

    /// At a door of that name.
    pub fn at(port: u16, door: &str, query: &str) -> Self {
        let tcp = Patient::connect(("127.0.0.1", port), PATIENCE).unwrap();
        let url = format!("ws://127.0.0.1:{port}/h5live/{door}?{query}");
        Self(client(url, tcp).unwrap().0)
    }

    /// Reads to the close, and gives its code.
    pub fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.0.read().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }

    /// Reads on until an event of this name has come.
    pub fn hears(&mut self, event: &str) {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) if text.contains(event) => return,
                Message::Close(frame) => panic!("closed with {frame:?} before {event}"),
                _ => {}
            }
        }
    }
}
