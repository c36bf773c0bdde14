//! One publisher: whether it may publish, and what it sends. Knows no socket.

use std::net::SocketAddr;
use std::sync::Arc;

use rml_rtmp::sessions::{
    ServerSession, ServerSessionConfig, ServerSessionError, ServerSessionEvent,
    ServerSessionResult, StreamMetadata,
};
use serde_json::json;

use super::Embedded;
use super::tags::Tags;
use crate::hub::{PublishError, Publisher, Source};
use crate::token::{Secret, StreamName};

const HANDLER: &str = "onMetaData";

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
}

/// A publisher's side of RTMP, after the handshake.
pub(super) struct Session {
    origin: Embedded,
    peer: SocketAddr,
    rtmp: ServerSession,
    publishing: Option<Publishing>,
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
            rtmp,
            publishing: None,
        };
        session.settle(first, out)?;
        Ok(session)
    }

    /// Whether it publishes.
    pub fn publishes(&self) -> bool {
        self.publishing.is_some()
    }

    /// Takes what the publisher sent; what is to be written goes to `out`.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Ended> {
        let results = self.rtmp.handle_input(bytes)?;
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
            ServerSessionEvent::StreamMetadataChanged { metadata, .. } => {
                if let Some(publishing) = &mut self.publishing {
                    publishing.describe(&metadata);
                }
                Ok(())
            }
            ServerSessionEvent::VideoDataReceived {
                data, timestamp, ..
            } => {
                if let Some(publishing) = &mut self.publishing {
                    let taken = publishing.tags.video(timestamp.value, &data);
                    publishing.hand_on(taken);
                }
                Ok(())
            }
            ServerSessionEvent::AudioDataReceived {
                data, timestamp, ..
            } => {
                if let Some(publishing) = &mut self.publishing {
                    let taken = publishing.tags.audio(timestamp.value, &data);
                    publishing.hand_on(taken);
                }
                Ok(())
            }
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
    fn describe(&mut self, metadata: &StreamMetadata) {
        let picture = metadata.video_codec_id.is_some() || metadata.video_width.is_some();
        self.tags.announce(picture);
        let values = json!({
            "width": metadata.video_width,
            "height": metadata.video_height,
            "videocodecid": metadata.video_codec_id,
            "framerate": metadata.video_frame_rate,
            "videodatarate": metadata.video_bitrate_kbps,
            "audiocodecid": metadata.audio_codec_id,
            "audiodatarate": metadata.audio_bitrate_kbps,
            "audiosamplerate": metadata.audio_sample_rate,
            "audiochannels": metadata.audio_channels,
            "stereo": metadata.audio_is_stereo,
            "encoder": metadata.encoder,
        });
        let known: serde_json::Map<_, _> = values
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let text = serde_json::Value::Object(known).to_string();
        self.publisher.metadata(HANDLER, &text);
    }

    fn hand_on(&mut self, taken: Result<(), super::tags::TagError>) {
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
