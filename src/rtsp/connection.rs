//! One client's connection: nothing behind the gate hears of it before its DESCRIBE has been granted.
//!
//! ```text
//! OPTIONS ─▶ answered here
//! DESCRIBE ─▶ gate ─▶ lease, place ─▶ stage ─▶ handed on, and with it SETUP, PLAY, … of the same stream
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::Door;
use super::message::{Bounds, Malformed, Message, Part};
use super::reader::{ReadError, Reader};
use super::request::{Method, PUBLIC, Request, Target, answer};
use super::stage::{Stage, Trouble};
use crate::http::admit::{self, Admission, Refusal, ViewerRequest};
use crate::http::fetch;
use crate::http::leases::{Counting, Lease};
use crate::http::places::Place;
use crate::http::way::Way;
use crate::token::{Facts, StreamName};

/// Of a body nothing is used.
const REQUEST_BODY: usize = 4096;
/// What GStreamer answers: a description, at most.
const ANSWERS: Bounds = Bounds {
    head: 16 * 1024,
    body: 64 * 1024,
};
/// How long a client may take for its answer to TEARDOWN, or for the last of a stream that has ended.
const GOODBYE: Duration = Duration::from_millis(500);

const BAD_REQUEST: (u16, &str) = (400, "Bad Request");
const FORBIDDEN: (u16, &str) = (403, "Forbidden");
const NOT_ALLOWED: (u16, &str) = (405, "Method Not Allowed");
const UNSUPPORTED: (u16, &str) = (415, "Unsupported Media Type");
const NO_SESSION: (u16, &str) = (454, "Session Not Found");
const NOT_NOW: (u16, &str) = (455, "Method Not Valid in This State");
const NO_TRANSPORT: (u16, &str) = (461, "Unsupported Transport");
const NOT_IMPLEMENTED: (u16, &str) = (501, "Not Implemented");
const UNAVAILABLE: (u16, &str) = (503, "Service Unavailable");

/// A client whose connection is open.
pub(super) struct Client {
    pub door: Arc<Door>,
    pub address: IpAddr,
    /// Whether its media may go in datagrams: not where it asked for TLS.
    pub udp: bool,
}

/// A client who was let in.
struct Viewer {
    /// What it may ask for.
    stream: String,
    /// The query that opened the door.
    query: String,
    lease: Lease,
    stage: Arc<Stage>,
    _place: Place,
}

/// What is known of a viewer's session at the stage.
#[derive(Default)]
struct Playing {
    /// As the stage named it.
    session: Option<String>,
    /// Until when the next request has to come; `None`: it plays.
    until: Option<Instant>,
    leaving: bool,
}

impl Client {
    /// Serves it until either side leaves; `waiting` is given up when it has become a viewer.
    pub async fn converse<R, W, P>(&self, read: R, mut write: W, waiting: P)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let bounds = Bounds {
            head: self.door.limits.head_bytes,
            body: REQUEST_BODY,
        };
        let mut requests = Reader::new(read, bounds);
        let knocking = self.knock(&mut requests, &mut write);
        let knocked = tokio::time::timeout(self.door.limits.patience, knocking).await;
        let Ok(Ok((request, target))) = knocked else {
            return;
        };
        let viewer = match self.enter(&target).await {
            Ok(viewer) => viewer,
            Err(trouble) => {
                let text = refusal(&request.message, &trouble);
                let _ = self.last_words(&mut write, &text).await;
                return;
            }
        };
        drop(waiting);
        let _counted = self.door.app.traffic.rtsp_session();
        let text = request.handed_on(&target, None);
        let ended = async {
            tokio::select! {
                end = viewer.lease.ended() => tracing::info!(?end, "an RTSP viewer was ended"),
                () = self.door.stopped() => {}
                () = viewer.stage.over() => tokio::time::sleep(GOODBYE).await,
            }
        };
        tokio::select! {
            biased;
            () = ended => {}
            outcome = self.play(&viewer, &text, &mut requests, &mut write) => {
                if let Err(error) = outcome {
                    tracing::debug!(client = %self.address, "an RTSP viewer left: {error}");
                }
            }
        }
        let _ = tokio::time::timeout(GOODBYE, write.shutdown()).await;
    }

    /// Reads on until a stream is to be described.
    async fn knock<R, W>(
        &self,
        requests: &mut Reader<R>,
        write: &mut W,
    ) -> Result<(Request, Target), ReadError>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            let request = match self.request(requests, write).await? {
                Some(request) => request,
                None => continue,
            };
            let status = match (request.method, &request.target) {
                (Method::Options, _) => {
                    let text = options(&request.message);
                    write.write_all(text.as_bytes()).await?;
                    continue;
                }
                (Method::Describe, Some(target)) if target.below.is_empty() => {
                    let target = target.clone();
                    return Ok((request, target));
                }
                (Method::Describe, _) => BAD_REQUEST,
                (method, _) => wrong_method(method).unwrap_or(NOT_NOW),
            };
            let text = answer(Some(&request.message), status, &closing(status));
            self.last_words(write, &text).await?;
            return Err(ReadError::Closed);
        }
    }

    /// The next request; `None` for what a client may send beside them.
    async fn request<R, W>(
        &self,
        requests: &mut Reader<R>,
        write: &mut W,
    ) -> Result<Option<Request>, ReadError>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let read = match requests.next().await {
            Ok(Part::Message(message)) => Request::read(message).map_err(ReadError::Malformed),
            Ok(Part::Frame(_)) => Err(Malformed::Message.into()),
            Err(error) => Err(error),
        };
        match read {
            Ok(request) => Ok(Some(request)),
            Err(error) => {
                if matches!(error, ReadError::Malformed(_)) {
                    let text = answer(None, BAD_REQUEST, &closing(BAD_REQUEST));
                    self.last_words(write, &text).await?;
                }
                Err(error)
            }
        }
    }

    /// The gate, and what comes after it.
    async fn enter(&self, target: &Target) -> Result<Viewer, Trouble> {
        let app = &self.door.app;
        let entered = async {
            let wanted = ViewerRequest::read_of(admit::Door::Gated, &target.stream, &target.query)?;
            let (admission, lease) = self.admit(&wanted).await?;
            lease.is_by(Way::Rtsp);
            let place = app.places.take().ok_or(Refusal::Full)?;
            let stage = tokio::select! {
                end = lease.ended() => return Err(Refusal::Ended(end).into()),
                () = self.door.stopped() => return Err(Refusal::Full.into()),
                stage = self.door.stages.join(&app.hub, &admission) => stage?,
            };
            Ok(Viewer {
                stream: target.stream.clone(),
                query: target.query.clone(),
                lease,
                stage,
                _place: place,
            })
        };
        let entered: Result<_, Trouble> = entered.await;
        match &entered {
            Ok(_) => {}
            Err(Trouble::Refused(refusal)) => {
                let stream = StreamName::parse(&target.stream).ok();
                app.turned(Way::Rtsp, stream, self.address, refusal);
            }
            Err(Trouble::Unsupported(why)) => {
                tracing::error!(
                    stream = target.stream,
                    "a stream can't be shown by RTSP: {why}"
                );
            }
        }
        entered
    }

    async fn admit(&self, wanted: &ViewerRequest) -> Result<(Admission, Lease), Refusal> {
        let app = &self.door.app;
        let facts = Facts {
            ip: self.address,
            referer: None,
        };
        let since = app.leases.mark();
        let outcome = app.gate.admit(wanted, &facts).await;
        let outcome = outcome.and_then(|admission| {
            let grant = (&admission.grant, admission.token);
            let counting = Counting::Media(wanted.player.as_deref());
            let lease = app.leases.take(since, grant, self.address, counting)?;
            Ok((admission, lease))
        });
        fetch::log(
            wanted,
            &facts,
            outcome.as_ref().map(|(admission, _)| admission),
        );
        outcome
    }

    /// Hands on what may be, both ways.
    async fn play<R, W>(
        &self,
        viewer: &Viewer,
        first: &str,
        requests: &mut Reader<R>,
        write: &mut W,
    ) -> Result<(), ReadError>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (answers, mut stage) = viewer.stage.connect(self.address).await?.into_split();
        let mut answers = Reader::new(answers, ANSWERS);
        stage.write_all(first.as_bytes()).await?;
        let mut playing = Playing::default();
        playing.wait(self.door.limits.patience);
        loop {
            let late = async {
                match playing.until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                batch = answers.batch() => {
                    let (bytes, messages) = batch?;
                    for message in messages {
                        playing.heard(&message);
                    }
                    write.write_all(&bytes).await?;
                }
                part = requests.next() => match part {
                    // Its receiver reports, which the stage listens to.
                    Ok(Part::Frame(frame)) => stage.write_all(&frame).await?,
                    Ok(Part::Message(message)) => {
                        let request = Request::read(message)?;
                        match self.decide(viewer, &mut playing, &request) {
                            Ok(text) => stage.write_all(text.as_bytes()).await?,
                            Err(text) => write.write_all(text.as_bytes()).await?,
                        }
                    }
                    Err(error) => {
                        if matches!(error, ReadError::Malformed(_)) {
                            let text = answer(None, BAD_REQUEST, &closing(BAD_REQUEST));
                            write.write_all(text.as_bytes()).await?;
                        }
                        return Err(error);
                    }
                },
                () = late => return Err(ReadError::Closed),
            }
        }
    }

    /// What is handed on of a viewer's request, or our own answer to it.
    fn decide(
        &self,
        viewer: &Viewer,
        playing: &mut Playing,
        request: &Request,
    ) -> Result<String, String> {
        let refuse = |status| Err(answer(Some(&request.message), status, ""));
        if request.method == Method::Options {
            return Err(options(&request.message));
        }
        if let Some(status) = wrong_method(request.method) {
            return refuse(status);
        }
        let target = request.target.as_ref();
        let Some(target) = target.filter(|target| target.stream == viewer.stream) else {
            return refuse(FORBIDDEN);
        };
        if let Ok(Some(session)) = request.message.header("Session")
            && playing.session.as_deref() != session.split(';').next().map(str::trim)
        {
            return refuse(NO_SESSION);
        }
        if !playing.leaving && playing.until.is_some() {
            playing.wait(self.door.limits.patience);
        }
        let mut transport = None;
        match request.method {
            Method::Describe if target.query != viewer.query => return refuse(FORBIDDEN),
            Method::Setup => {
                let udp = self.udp && !self.address.is_unspecified();
                transport = request.transports(udp);
                if transport.is_none() {
                    return refuse(NO_TRANSPORT);
                }
            }
            Method::Play => playing.until = None,
            Method::Teardown => {
                playing.leaving = true;
                playing.wait(GOODBYE);
            }
            _ => {}
        }
        Ok(request.handed_on(target, transport.as_deref()))
    }

    /// Says something and closes.
    async fn last_words<W: AsyncWrite + Unpin>(
        &self,
        write: &mut W,
        text: &str,
    ) -> std::io::Result<()> {
        write.write_all(text.as_bytes()).await?;
        write.shutdown().await
    }
}

impl Playing {
    fn wait(&mut self, patience: Duration) {
        self.until = Some(Instant::now() + patience);
    }

    /// Learns from what the stage answers.
    fn heard(&mut self, message: &Message) {
        if let Ok(Some(session)) = message.header("Session") {
            let id = session.split(';').next().unwrap_or_default().trim();
            self.session = Some(id.to_owned());
        }
    }
}

fn options(request: &Message) -> String {
    let headers = format!("Public: {PUBLIC}\r\n");
    answer(Some(request), (200, "OK"), &headers)
}

fn wrong_method(method: Method) -> Option<(u16, &'static str)> {
    match method {
        Method::Record => Some(NOT_ALLOWED),
        Method::Unknown => Some(NOT_IMPLEMENTED),
        _ => None,
    }
}

fn closing(status: (u16, &str)) -> String {
    let allow = match status == NOT_ALLOWED {
        true => format!("Allow: {PUBLIC}\r\n"),
        false => String::new(),
    };
    format!("{allow}Connection: close\r\n")
}

fn refusal(request: &Message, trouble: &Trouble) -> String {
    let status = match trouble {
        Trouble::Unsupported(_) => UNSUPPORTED,
        Trouble::Refused(refusal) => match refusal.status().as_u16() {
            400 => BAD_REQUEST,
            503 => UNAVAILABLE,
            _ => FORBIDDEN,
        },
    };
    let again = match status == UNAVAILABLE {
        true => "Retry-After: 2\r\n",
        false => "",
    };
    answer(
        Some(request),
        status,
        &format!("{again}{}", closing(status)),
    )
}
