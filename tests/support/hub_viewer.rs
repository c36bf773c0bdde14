//! A viewer without a socket: subscribes to the hub with a token and reads what it is sent.

#![allow(dead_code)] // each test uses a part of it

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use h5live::hub::{Hub, OriginName, Subscription};
use h5live::token::{
    Claims, Facts, Grant, KeyLookup, Parameters, Presented, Scope, Secret, StreamName, UnixSeconds,
    mint,
};
use serde_json::Value;

use crate::support::process::wait_until;

/// One message of the H5Live interface.
#[derive(Clone, Debug)]
pub enum Event {
    /// An event's name and what stands under its key.
    Text(String, Value),
    /// `ftyp` + `moov`.
    Init(Bytes),
    /// `moof` + `mdat`.
    Fragment(Bytes),
}

/// Reads on whenever it waits for something.
pub struct Viewer {
    subscription: Subscription,
    /// All that it was sent.
    pub events: Vec<Event>,
    /// How many of them [`Viewer::wait_for`] has passed.
    passed: usize,
}

impl Viewer {
    /// Subscribes with a token for that stream.
    pub fn join(hub: &Arc<Hub>, origin: &OriginName, stream: &StreamName) -> Self {
        Self {
            subscription: hub.subscribe(&grant(stream), origin).unwrap(),
            events: Vec::new(),
            passed: 0,
        }
    }

    /// Takes what has come.
    pub fn read(&mut self) {
        let mut out = Vec::new();
        while self.subscription.next(1 << 20, &mut out) {}
        for bytes in out {
            frames(&bytes, &mut self.events);
        }
        assert_eq!(self.subscription.skips(), 0, "the test reads too slowly");
    }

    /// Waits until an event after those passed already is what is looked for, and passes it.
    pub fn wait_for<T>(&mut self, what: &str, look: impl Fn(&Event) -> Option<T>) -> T {
        wait_until(what, || {
            self.read();
            while let Some(event) = self.events.get(self.passed) {
                self.passed += 1;
                if let Some(found) = look(event) {
                    return Some(found);
                }
            }
            None
        })
    }

    /// Waits for an event by its name; gives what stands under its key.
    pub fn wait_for_text(&mut self, wanted: &str) -> Value {
        self.wait_for(wanted, |event| match event {
            Event::Text(name, value) if name == wanted => Some(value.clone()),
            _ => None,
        })
    }

    /// Waits for the source to have stopped.
    pub fn wait_for_stop(&mut self) {
        let status = self.wait_for_text("onStreamStatus");
        assert_eq!(status["status"], "stopped");
    }

    /// Waits for so many fragments.
    pub fn wait_for_fragments(&mut self, count: usize) {
        for _ in 0..count {
            self.wait_for("a fragment", |event| {
                matches!(event, Event::Fragment(_)).then_some(())
            });
        }
    }

    /// Waits for a stream from its beginning: its description, init segment, random access point and
    /// fragment, with nothing but metadata between them. Gives the description.
    pub fn wait_for_start(&mut self) -> Value {
        let info = self.wait_for_text("onStreamInfo");
        let begin = self.passed;
        self.wait_for_fragments(1);
        let names: Vec<&str> = self.events[begin..self.passed]
            .iter()
            .map(Event::name)
            .filter(|name| *name != "onMetaData")
            .collect();
        assert_eq!(names, ["init", "onRandomAccessPoint", "fragment"]);
        info
    }

    /// What stands in all events of that name so far.
    pub fn text(&self, wanted: &str) -> Vec<&Value> {
        let found = self.events.iter().filter_map(|event| match event {
            Event::Text(name, value) if name == wanted => Some(value),
            _ => None,
        });
        found.collect()
    }

    /// The bytes since the last init segment, itself included.
    pub fn media(&self) -> Vec<u8> {
        let init = |event: &Event| matches!(event, Event::Init(_));
        let begin = self.events.iter().rposition(init).expect("media has come");
        let media = self.events[begin..].iter().filter_map(|event| match event {
            Event::Init(bytes) | Event::Fragment(bytes) => Some(bytes.as_ref()),
            Event::Text(..) => None,
        });
        media.collect::<Vec<_>>().concat()
    }
}

impl Event {
    /// The event's name, `init` or `fragment`.
    pub fn name(&self) -> &str {
        match self {
            Event::Text(name, _) => name,
            Event::Init(_) => "init",
            Event::Fragment(_) => "fragment",
        }
    }
}

fn grant(stream: &StreamName) -> Grant {
    let key = Secret::new(*b"the secret of these tests").unwrap().key();
    let minted = mint(&key, &Claims::of(Scope::Stream(stream.clone())));
    let parameters = Parameters {
        token: Some(minted.token.clone()),
        options: Some("0".into()),
        ..Parameters::default()
    };
    let facts = Facts {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        referer: None,
    };
    Presented::read(&parameters, stream)
        .unwrap()
        .verify(KeyLookup::Found(key), &facts, UnixSeconds(0), 0)
        .unwrap()
}

/// Reads a server's frames (RFC 6455, 5.2): whole messages without a mask.
fn frames(mut bytes: &[u8], events: &mut Vec<Event>) {
    while let [opcode, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => {
                let (length, rest) = rest.split_first_chunk().unwrap();
                (u16::from_be_bytes(*length).into(), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk().unwrap();
                (u64::from_be_bytes(*length) as usize, rest)
            }
            short => ((*short).into(), rest),
        };
        let (payload, rest) = rest.split_at(length);
        events.push(message(*opcode, payload));
        bytes = rest;
    }
}

fn message(opcode: u8, payload: &[u8]) -> Event {
    match (opcode, payload.get(4..8)) {
        (0x81, _) => {
            let mut message: Value = serde_json::from_slice(payload).unwrap();
            let name = message["eventType"].as_str().unwrap().to_owned();
            // An update has its payload under the name of what it updates (protocol.md).
            let key = name.replace("InfoUpdate", "Info");
            Event::Text(name, message[key].take())
        }
        (0x82, Some(b"ftyp")) => Event::Init(Bytes::copy_from_slice(payload)),
        (0x82, Some(b"moof")) => Event::Fragment(Bytes::copy_from_slice(payload)),
        _ => panic!("opcode {opcode:#x} with {} bytes", payload.len()),
    }
}
