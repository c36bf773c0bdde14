//! A viewer by WebSocket: what it was sent, in order.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket, client};

use super::patient::Patient;

/// How long any one message is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// One message.
#[derive(Clone, Debug)]
pub enum Received {
    /// An event: its name, and what stands under it.
    Event(String, Value),
    /// An init segment or a fragment.
    Binary(Vec<u8>),
    /// The end, with its close code; 0 where there was none.
    Closed(u16),
}

impl Received {
    /// Whether it is the event of that name.
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Received::Event(event, _) if event == name)
    }
}

/// A connected viewer.
pub struct Viewer {
    socket: WebSocket<Patient>,
}

impl Viewer {
    /// Connects to a `ws://127.0.0.1:PORT/…` address.
    pub fn connect(url: &str) -> Viewer {
        Viewer::connect_from(url, None)
    }

    /// The same with an `Origin`.
    pub fn connect_from(url: &str, origin: Option<&str>) -> Viewer {
        let mut request = url.into_client_request().expect("an address");
        if let Some(origin) = origin {
            let origin = origin.parse().expect("a header's value");
            request.headers_mut().insert("Origin", origin);
        }
        let authority = request.uri().authority().expect("a host").to_string();
        let tcp = Patient::connect(authority, Duration::from_millis(200));
        let tcp = tcp.expect("the server accepts");
        let mut result = client(request, tcp);
        loop {
            match result {
                Ok((socket, _)) => return Viewer { socket },
                Err(tungstenite::HandshakeError::Interrupted(middle)) => {
                    result = middle.handshake();
                }
                Err(error) => panic!("no WebSocket: {error}"),
            }
        }
    }

    /// The next message; `None` where none comes before `deadline`.
    pub fn next_before(&mut self, deadline: Instant) -> Option<Received> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let mut event: Value = serde_json::from_str(&text).expect("JSON");
                    let name = event["eventType"].as_str().expect("a type").to_owned();
                    let payload = event.as_object_mut().and_then(|event| {
                        event.remove(&name).or_else(|| event.remove("onStreamInfo"))
                    });
                    return Some(Received::Event(name, payload.unwrap_or_default()));
                }
                Ok(Message::Binary(bytes)) => return Some(Received::Binary(bytes.to_vec())),
                Ok(Message::Close(frame)) => {
                    return Some(Received::Closed(
                        frame.map_or(0, |frame| u16::from(frame.code)),
                    ));
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if Instant::now() >= deadline {
                        return None;
                    }
                }
                Err(error) => panic!("the connection broke: {error}"),
            }
        }
    }

    /// The next message. Panics where none comes.
    pub fn next(&mut self) -> Received {
        self.next_before(Instant::now() + PATIENCE)
            .expect("a message")
    }

    /// All messages up to the first that `is_last`, which is among them. Panics at an unexpected end.
    pub fn until(&mut self, mut is_last: impl FnMut(&Received) -> bool) -> Vec<Received> {
        let deadline = Instant::now() + 2 * PATIENCE;
        let mut all = Vec::new();
        loop {
            let received = self.next();
            let last = is_last(&received);
            let closed = matches!(received, Received::Closed(_));
            all.push(received);
            if last {
                return all;
            }
            assert!(
                !closed && Instant::now() < deadline,
                "ends with {:?}",
                all.last()
            );
        }
    }

    /// Sends text.
    pub fn say(&mut self, event: &Value) {
        self.socket
            .send(Message::text(event.to_string()))
            .expect("the message can be sent");
    }
}

/// The binary messages in one file's worth of bytes.
pub fn media(received: &[Received]) -> Vec<u8> {
    received
        .iter()
        .filter_map(|message| match message {
            Received::Binary(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
        .flatten()
        .copied()
        .collect()
}
