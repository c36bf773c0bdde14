//! One publisher: whether it may publish, and what it sends. Knows no socket.

use std::net::SocketAddr;
use std::sync::Arc;

use rml_rtmp::chunk_io::{ChunkSerializationError, ChunkSerializer};
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::sessions::{
    ServerSession, ServerSessionConfig, ServerSessionError, ServerSessionEvent, ServerSessionResult,
};
use rml_rtmp::time::RtmpTimestamp;

use super::Embedded;
use super::chunks::{ChunkError, Chunks, Message};
use super::tags::{TagError, Tags};
use crate::hub::{PublishError, Publisher, Source};
use crate::origin::amf::{self, AmfError};
use crate::origin::script::Script;
use crate::token::{Secret, StreamName};

/// Bytes of a command or a control message; the longest, `connect`, has some hundred.
const LONGEST_COMMAND: usize = 16 * 1024;

/// Message types (Adobe RTMP 1.0, 5.4 and 7.1). What AMF3 ones hold begins with AMF0.
mod kind {
    pub const USER_CONTROL: u8 = 4;
    pub const WINDOW: u8 = 5;
    pub const AUDIO: u8 = 8;
    pub const VIDEO: u8 = 9;
    pub const DATA_AMF3: u8 = 15;
    pub const COMMAND_AMF3: u8 = 17;
    pub const DATA: u8 = 18;
    pub const COMMAND: u8 = 20;
}

/// Why a publisher is sent away. What it is told is only that it may not.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("it publishes to another application")]
    Application,
    #[error("it names no stream as ORGANISATION-STREAM")]
    Name,
    #[error("it has no publish key, or a wrong one, or there is no such stream")]
    Key,
    #[error("it publishes a second stream")]
    Second,
    #[error(transparent)]
    Taken(#[from] PublishError),
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// It may not publish; what is to be written yet says so.
    #[error("it is sent away")]
    Refused,
    /// It has done so.
    #[error("it has stopped publishing")]
    Finished,
    /// What it sends can't be read.
    #[error("it does not speak RTMP as it should")]
    Protocol(#[from] ServerSessionError),
    /// The same below.
    #[error(transparent)]
    Chunks(#[from] ChunkError),
    /// A command that nobody should have to read.
    #[error("it sends a command that is too long, or has too few values")]
    Command,
    /// The same within a command.
    #[error("a command can't be read: {0}")]
    Values(#[from] AmfError),
    /// A command can't be handed on.
    #[error("a command can't be written: {0}")]
    Write(#[from] ChunkSerializationError),
}

/// A publisher's side of RTMP, after the handshake.
///
/// Commands are read here first and written again for `rml_rtmp`, which follows nested values as deep as
/// they go, and falls over lists that are too short. Media and script data do not pass through it.
pub(super) struct Session {
    origin: Embedded,
    peer: SocketAddr,
    chunks: Chunks,
    commands: ChunkSerializer,
    rtmp: ServerSession,
    received: Received,
    publishing: Option<Publishing>,
}

/// How much has come, which a publisher may want to be told.
#[derive(Default)]
struct Received {
    bytes: u32,
    told: u32,
    window: Option<u32>,
}

struct Publishing {
    publisher: Arc<Publisher>,
    tags: Tags,
    warned: bool,
}

impl Session {
    /// Begins; what is to be written first goes to `out`.
    pub fn new(origin: Embedded, peer: SocketAddr, out: &mut Vec<u8>) -> Result<Self, Ended> {
        let (rtmp, first) = ServerSession::new(ServerSessionConfig::new())?;
        let mut session = Self {
            origin,
            peer,
            chunks: Chunks::default(),
            commands: ChunkSerializer::new(),
            rtmp,
            received: Received::default(),
            publishing: None,
        };
        session.settle(first, out)?;
        let whole = LONGEST_COMMAND as u32;
        let size = (session.commands).set_max_chunk_size(whole, RtmpTimestamp::new(0))?;
        session.rtmp.handle_input(&size.bytes)?;
        Ok(session)
    }

    /// Whether it publishes.
    pub fn publishes(&self) -> bool {
        self.publishing.is_some()
    }

    /// Takes what the publisher sent; what is to be written goes to `out`.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Ended> {
        self.received.take(bytes.len(), out);
        for message in self.chunks.read(bytes)? {
            match (message.kind, &mut self.publishing) {
                (kind::COMMAND | kind::COMMAND_AMF3 | kind::USER_CONTROL, _)
                    if message.data.len() > LONGEST_COMMAND =>
                {
                    return Err(Ended::Command);
                }
                (kind::COMMAND | kind::COMMAND_AMF3, _) => self.command(message, out)?,
                (kind::USER_CONTROL, _) => self.hand_over(message, out)?,
                (kind::WINDOW, _) => self.received.want(&message.data),
                (kind::VIDEO, Some(publishing)) => {
                    let taken = publishing.tags.video(message.time, &message.data);
                    publishing.hand_on(taken);
                }
                (kind::AUDIO, Some(publishing)) => {
                    let taken = publishing.tags.audio(message.time, &message.data);
                    publishing.hand_on(taken);
                }
                (kind::DATA | kind::DATA_AMF3, Some(publishing)) => publishing.say(amf0(&message)),
                _ => {}
            }
        }
        Ok(())
    }

    fn command(&mut self, message: Message, out: &mut Vec<u8>) -> Result<(), Ended> {
        // A name, a transaction, and an object.
        if amf::values(amf0(&message))?.len() < 3 {
            return Err(Ended::Command);
        }
        self.hand_over(message, out)
    }

    fn hand_over(&mut self, message: Message, out: &mut Vec<u8>) -> Result<(), Ended> {
        let message = MessagePayload {
            timestamp: RtmpTimestamp::new(message.time),
            type_id: message.kind,
            message_stream_id: message.stream,
            data: message.data,
        };
        let packet = self.commands.serialize(&message, true, false)?;
        let results = self.rtmp.handle_input(&packet.bytes)?;
        self.settle(results, out)
    }

    fn settle(
        &mut self,
        results: Vec<ServerSessionResult>,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        for result in results {
            match result {
                ServerSessionResult::OutboundResponse(packet) => {
                    out.extend_from_slice(&packet.bytes);
                }
                ServerSessionResult::RaisedEvent(event) => self.hear(event, out)?,
                ServerSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self, event: ServerSessionEvent, out: &mut Vec<u8>) -> Result<(), Ended> {
        match event {
            ServerSessionEvent::ConnectionRequested { request_id, .. }
            | ServerSessionEvent::ReleaseStreamRequested { request_id, .. } => {
                let accepted = self.rtmp.accept_request(request_id)?;
                self.settle(accepted, out)
            }
            ServerSessionEvent::PublishStreamRequested {
                request_id,
                app_name,
                stream_key,
                ..
            } => self.publish(request_id, &app_name, &stream_key, out),
            ServerSessionEvent::PlayStreamRequested { request_id, .. } => {
                self.refuse(request_id, "NetStream.Play.Failed", out)
            }
            ServerSessionEvent::PublishStreamFinished { .. } => Err(Ended::Finished),
            _ => Ok(()),
        }
    }

    fn publish(
        &mut self,
        request: u32,
        application: &str,
        name: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        let peer = self.peer;
        match self.admit(application, name) {
            Ok(publisher) => {
                tracing::info!(source = %publisher.source(), %peer, "published");
                self.publishing = Some(Publishing {
                    publisher,
                    tags: Tags::new(),
                    warned: false,
                });
                let accepted = self.rtmp.accept_request(request)?;
                self.settle(accepted, out)
            }
            Err(refusal) => {
                tracing::warn!(%peer, "a publisher is sent away: {refusal}");
                self.refuse(request, "NetStream.Publish.BadName", out)
            }
        }
    }

    fn refuse(&mut self, request: u32, code: &str, out: &mut Vec<u8>) -> Result<(), Ended> {
        let refused =
            self.rtmp
                .reject_request(request, code, "Not allowed with this stream key.")?;
        self.settle(refused, out)?;
        Err(Ended::Refused)
    }

    /// `name` is the stream's and `?key=` with the publish key.
    fn admit(&self, application: &str, name: &str) -> Result<Arc<Publisher>, Refusal> {
        let settings = &self.origin.settings;
        if application.trim_end_matches('/') != settings.application {
            return Err(Refusal::Application);
        }
        if self.publishing.is_some() {
            return Err(Refusal::Second);
        }
        let (stream, query) = name.split_once('?').unwrap_or((name, ""));
        let stream = StreamName::parse(stream).map_err(|_| Refusal::Name)?;
        let presented = query.split('&').find_map(|pair| pair.strip_prefix("key="));
        let presented = Secret::new(presented.unwrap_or_default()).map_err(|_| Refusal::Key)?;
        let key = settings.keys.get(&stream).ok_or(Refusal::Key)?;
        if !key.same_secret(&presented.key()) {
            return Err(Refusal::Key);
        }
        let origin = settings.name.clone();
        Ok(self.origin.hub.publish(&Source { origin, stream })?)
    }
}

impl Publishing {
    fn say(&mut self, data: &[u8]) {
        let Some(script) = Script::read(data) else {
            return;
        };
        if let Some(picture) = script.picture {
            self.tags.announce(picture);
        }
        self.publisher.metadata(&script.handler, &script.message);
    }

    fn hand_on(&mut self, taken: Result<(), TagError>) {
        if let Err(error) = taken
            && !std::mem::replace(&mut self.warned, true)
        {
            let source = self.publisher.source();
            tracing::warn!(%source, "a part of what is published can't be used: {error}");
        }
        while let Some(output) = self.tags.pop() {
            self.publisher.publish(output);
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        tracing::info!(source = %self.publisher.source(), "not published any more");
    }
}

impl Received {
    /// Counts, and tells the publisher when it is time to (5.4.3).
    fn take(&mut self, bytes: usize, out: &mut Vec<u8>) {
        self.bytes = self.bytes.wrapping_add(bytes as u32);
        let untold = self.bytes.wrapping_sub(self.told);
        if self.window.is_some_and(|window| untold >= window) {
            self.told = self.bytes;
            // A message of type 3 with a whole header, on a chunk stream that nothing else uses: so
            // whatever `rml_rtmp` leaves out of its next header is still right.
            out.extend([63, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0]);
            out.extend(self.bytes.to_be_bytes());
        }
    }

    fn want(&mut self, data: &[u8]) {
        let window = data.first_chunk().map(|size| u32::from_be_bytes(*size));
        self.window = window.filter(|window| *window > 0);
    }
}

/// What a message holds, without the mark before what AMF3 ones hold.
fn amf0(message: &Message) -> &[u8] {
    match (message.kind, &message.data[..]) {
        (kind::COMMAND_AMF3 | kind::DATA_AMF3, [0, rest @ ..]) => rest,
        (_, data) => data,
    }
}
