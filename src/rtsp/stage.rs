//! A stream's shared media: one pipeline for all who watch it by RTSP, for as long as anybody does.
//!
//! GStreamer's RTSP server ends shared media with its last session, and fails whoever comes while that goes
//! on. Here it is prepared once more than there are viewers, by the stage itself; whoever comes after the last
//! has left finds none, and gets a new one.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use gst_rtsp_server::gst_rtsp::{RTSPResult, RTSPUrl};
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPMedia, RTSPMountPoints, RTSPServer, RTSPThread, RTSPThreadType, gio};
use gstreamer as gst;
use gstreamer_rtsp_server as gst_rtsp_server;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::factory::Factory;
use super::feed::Feeder;
use super::pipeline;
use crate::http::admit::{Admission, Refusal};
use crate::hub::{Fragments, Hub, Source};
use crate::media::samples;

/// How long a viewer waits for a stream to be there.
const PATIENCE: Duration = Duration::from_secs(12);

/// How long media may take to be ready, those that others are getting ready included.
const BEGINNING: Duration = Duration::from_secs(30);

/// How long a connection within this process may take to be made.
const PAIRING: Duration = Duration::from_secs(5);

/// The kernel's buffers of it, in bytes. What a slow viewer is behind stands there, and then it is dropped.
const BUFFER: usize = 256 * 1024;

/// Why a viewer who was let in is not shown anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The stream is there, and is nothing that goes out by RTP.
    #[error("{0}")]
    Unsupported(String),
}

/// The stages of a process, by what is played there.
#[derive(Default)]
pub(super) struct Stages(Mutex<HashMap<Source, Arc<Slot>>>);

/// Locked while a stage is being set up, so that all who come meanwhile share it.
type Slot = tokio::sync::Mutex<Weak<Stage>>;

impl Stages {
    /// The stage of what a viewer was granted.
    pub async fn join(&self, hub: &Arc<Hub>, to: &Admission) -> Result<Arc<Stage>, Trouble> {
        let slot = self.slot(&to.source);
        let is_there = |slot: &Weak<Stage>| slot.upgrade().filter(|stage| !stage.is_over());
        if let Some(stage) = slot.try_lock().ok().and_then(|slot| is_there(&slot)) {
            return Ok(stage);
        }
        // Each by itself, so that none waits for others who wait in vain.
        let fragments = hub.fragments(&to.grant, &to.source.origin);
        let mut fragments = fragments.map_err(|_| Refusal::Full)?;
        let mut pieces = VecDeque::new();
        let first = std::future::poll_fn(|cx| fragments.poll(cx, usize::MAX, &mut pieces));
        if tokio::time::timeout(PATIENCE, first).await != Ok(true) {
            return Err(Refusal::NotLive.into());
        }
        let beginning = async {
            let mut slot = slot.lock().await;
            if let Some(stage) = is_there(&slot) {
                return Ok(stage);
            }
            let stage = Stage::begin(fragments, pieces, &to.source).await?;
            *slot = Arc::downgrade(&stage);
            Ok(stage)
        };
        let begun = tokio::time::timeout(BEGINNING, beginning).await;
        begun.unwrap_or(Err(Refusal::NotLive.into()))
    }

    fn slot(&self, source: &Source) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            let is_bare = slot.try_lock().is_ok_and(|stage| stage.strong_count() == 0);
            !is_bare || Arc::strong_count(slot) > 1
        });
        Arc::clone(slots.entry(source.clone()).or_default())
    }
}

/// One of them; dropping it ends its media.
pub(super) struct Stage {
    server: RTSPServer,
    over: watch::Receiver<bool>,
    _feeding: Feeding,
    _media: Prepared,
}

impl Stage {
    async fn begin(
        fragments: Fragments,
        mut pieces: VecDeque<Bytes>,
        source: &Source,
    ) -> Result<Arc<Self>, Trouble> {
        let init = pieces.pop_front().ok_or(Refusal::NotLive)?;
        let unsupported = |error: &dyn std::fmt::Display| Trouble::Unsupported(error.to_string());
        let tracks = samples::tracks(&init).map_err(|error| unsupported(&error))?;
        let built = pipeline::build(&tracks).map_err(|error| unsupported(&error))?;
        let (elements, inlets) = built;
        let clock = gst::SystemClock::obtain();
        let feeder = Feeder::new(fragments, inlets, clock.clone());
        let factory = Factory::new(elements, clock);
        let (ending, over) = watch::channel(false);
        let ending = Arc::new(ending);
        let fed = Arc::clone(&ending);
        // Before the media is prepared, which takes a sample of each track.
        let feeding = tokio::spawn(async move {
            feeder.run(pieces).await;
            fed.send_replace(true);
        });
        let feeding = Feeding(feeding.abort_handle());
        let path = format!("/{}", source.stream);
        let mounts = RTSPMountPoints::new();
        mounts.add_factory(&path, factory.clone());
        let prepared = tokio::task::spawn_blocking(move || Prepared::new(&factory, &path, ending));
        let media = match prepared.await {
            Ok(Some(media)) => media,
            Ok(None) | Err(_) => {
                tracing::error!(%source, "no media for RTSP; GST_DEBUG=rtsp*:5 tells why");
                return Err(Refusal::NotLive.into());
            }
        };
        let server = RTSPServer::new();
        server.set_mount_points(Some(&mounts));
        Ok(Arc::new(Self {
            server,
            over,
            _feeding: feeding,
            _media: media,
        }))
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits until its stream has ended, or its media failed.
    pub async fn over(&self) {
        let mut over = self.over.clone();
        // Whoever would say so has left without.
        let _ = over.wait_for(|over| *over).await;
    }

    /// A connection to the RTSP server of this stage, for a client of this address, which is where datagrams
    /// would be sent to.
    pub async fn connect(&self, client: IpAddr) -> io::Result<TcpStream> {
        let (ours, theirs) = tokio::time::timeout(PAIRING, pair(client)).await??;
        for end in [&ours, &theirs] {
            end.set_nodelay(true)?;
            SockRef::from(end).set_send_buffer_size(BUFFER)?;
            SockRef::from(end).set_recv_buffer_size(BUFFER)?;
        }
        let port = ours.local_addr()?.port();
        let socket = gio::Socket::from_fd(OwnedFd::from(theirs.into_std()?));
        let socket = socket.map_err(io::Error::other)?;
        self.server
            .transfer_connection(socket, &client.to_string(), port.into(), None)
            .map_err(io::Error::other)?;
        Ok(ours)
    }
}

/// What feeds a stage; ends when it is dropped.
struct Feeding(AbortHandle);

impl Drop for Feeding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Two ends of a connection, of the client's kind of address: GStreamer opens ports for datagrams by that.
async fn pair(client: IpAddr) -> io::Result<(TcpStream, TcpStream)> {
    let loopback = match client {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let listener = TcpListener::bind(SocketAddr::new(loopback, 0)).await?;
    let ours = TcpStream::connect(listener.local_addr()?).await?;
    loop {
        let (theirs, from) = listener.accept().await?;
        // Not somebody else of this machine.
        if from == ours.local_addr()? {
            return Ok((ours, theirs));
        }
    }
}

/// Media that is ready to be described and played. Dropping it lets it go.
struct Prepared(RTSPMedia);

impl Prepared {
    /// Waits for a sample of each track, at most some 20 seconds.
    fn new(factory: &Factory, path: &str, failed: Arc<watch::Sender<bool>>) -> Option<Self> {
        let (RTSPResult::Ok, Some(url)) = RTSPUrl::parse(&format!("rtsp://127.0.0.1{path}")) else {
            return None;
        };
        let media = factory.construct(&url).ok()?;
        media.connect_handle_message(None, move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                tracing::error!("the media of an RTSP stream has failed: {}", error.error());
                failed.send_replace(true);
            }
            true
        });
        let thread = RTSPThread::new(RTSPThreadType::Media)?;
        let (context, running) = (thread.context(), thread.loop_());
        let run = move || {
            // Until the media lets go of its thread.
            let _ = context.with_thread_default(|| running.run());
        };
        std::thread::Builder::new()
            .name("h5live-rtsp".to_owned())
            .spawn(run)
            .ok()?;
        media.prepare(Some(thread)).ok()?;
        Some(Self(media))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let media = self.0.clone();
        let let_go = move || {
            let _ = media.unprepare();
        };
        // It waits for GStreamer's threads.
        if std::thread::Builder::new().spawn(let_go).is_err() {
            let _ = self.0.unprepare();
        }
    }
}
