//! Puts the server together from its configuration, runs it, and takes it down in order.
//!
//! ```text
//! records ─▶ issuer ─▶ api ──┐
//!    └─▶ keys ─▶ gate ───────┼▶ app ─▶ listener
//! origins ─▶ supervisor ─▶ hub ┘
//! ```

mod adapters;
mod console_door;
mod description;
mod exposition;
mod file_limit;
mod metrics;
#[cfg(feature = "rtsp")]
mod rtsp_door;
mod side_doors;
pub(crate) mod store;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config, Embedded, Limits, SelfSigned, SelfSignedError, Transport};
use crate::http::admit::Gate;
use crate::http::app::{self, App};
use crate::http::listener::{self, Front};
use crate::http::tls::{self, Tls, TlsError, TlsFiles};
use crate::http::workers;
use crate::hub::fanout::Limits as FanoutLimits;
use crate::hub::{self, Hub, OriginName, memory_file};
use crate::issuer::{FailureLimits, Issuer};
use crate::media::hls;
use crate::origin::{OriginError, Origins, Pace, Settings, StartError, Supervisor, embedded};
use crate::records::{self, CacheSettings, Cached, OpenError, Records};
use crate::token::UnixSeconds;
use adapters::{IssuerApi, Players, Pulls, RecordedKeys, Selection};
use console_door::{ConsoleDoor, Over};
use description::Description;
use metrics::Metrics;
#[cfg(feature = "rtsp")]
use rtsp_door::RtspDoor;
use side_doors::SideDoors;

/// How often the end looks whether all viewers have left.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// How long answers that are being written may take at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody else has the port, most likely.
    #[error("can't listen on {address} ({error}); choose another port in server.listen")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// The system's words.
        error: io::Error,
    },
    /// The same beside the doors.
    #[error("can't listen on {address} ({error}); choose another port in {key}")]
    BindBeside {
        /// Where the address was written.
        key: &'static str,
        /// Where.
        address: SocketAddr,
        /// The system's words.
        error: io::Error,
    },
    /// The records.
    #[error(transparent)]
    Records(#[from] OpenError),
    /// The origins.
    #[error(transparent)]
    Origins(#[from] OriginError),
    /// What pulls from them.
    #[error(transparent)]
    Pulls(#[from] StartError),
    /// The certificate or the key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificate that was to be made on the spot.
    #[error(transparent)]
    SelfSigned(#[from] SelfSignedError),
    /// The system gives no threads, no poller or no signals.
    #[error("the system does not give what the server needs ({0}); look at its limits (ulimit -a)")]
    System(#[from] io::Error),
}

/// Runs the server until SIGTERM or SIGINT, then lets viewers go in bounded time.
///
/// # Errors
/// See [`ServeError`]; nothing is left running.
pub fn run(config: Config) -> Result<(), ServeError> {
    file_limit::raise(config.limits.max_viewers + config.limits.max_requests);
    let runtime = workers::runtime().build()?;
    let outcome = runtime.block_on(serve(&config));
    runtime.shutdown_timeout(LAST_ANSWERS);
    outcome
}

async fn serve(config: &Config) -> Result<(), ServeError> {
    let limits = &config.limits;
    let stop = stop_signal()?;
    let store = store::open(config, limits.records_connections).await?;
    let records: Arc<dyn Records> = Arc::new(Cached::new(store, cache_settings(limits)));
    let tls = transport(config)?;
    // Before anything starts that would have to be stopped again.
    let bind = |error| ServeError::Bind {
        address: config.listen,
        error,
    };
    let socket = listener::bind(config.listen).map_err(bind)?;
    let address = socket.local_addr().map_err(bind)?;
    let publishers = match &config.embedded {
        Some(embedded) => Some((embedded, listen_for_publishers(embedded).await?)),
        None => None,
    };
    let side_doors = SideDoors::bind(config)?;
    let console_door = ConsoleDoor::bind(config)?;
    #[cfg(feature = "rtsp")]
    let rtsp_door = RtspDoor::bind(config)?;
    #[cfg(feature = "rtsp")]
    let rtsp_stop = rtsp_door.stop();
    let hub = Hub::new(hub_limits(limits));
    let supervisor = Supervisor::new(Origins::new(&config.origins)?, &hub, pulls(limits))?;
    hub.set_demand(Arc::new(Pulls {
        supervisor: Arc::clone(&supervisor),
        embedded: OriginName::new(config::EMBEDDED),
    }));
    let app = doors(config, &hub, Arc::clone(&records))?;
    let changes = records.changes();
    tokio::spawn(records::follow(
        Arc::clone(&records),
        changes,
        Arc::downgrade(&app),
    ));

    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}/");
    let front = Front {
        tls: tls.as_ref().map(|tls| Arc::clone(&tls.config)),
        proxy_protocol: config.proxy_protocol,
        hsts_seconds: config.https.hsts_seconds,
    };
    let metrics = Metrics {
        app: Arc::clone(&app),
        supervisor: Arc::clone(&supervisor),
        certificate: tls.as_ref().map(|tls| Arc::clone(&tls.certificate)),
    };
    let console = Over {
        app: Arc::clone(&app),
        supervisor: Arc::clone(&supervisor),
        records: Arc::clone(&records),
        failures: failure_limits(limits),
        clock: now,
    };
    let serving = listener::serve(socket, front, Arc::clone(&app), listener_limits(limits));
    let publishing = async {
        match publishers {
            Some((embedded, socket)) => {
                let settings = embedded_settings(embedded, limits);
                embedded::serve(socket, settings, Arc::clone(&hub)).await
            }
            None => std::future::pending().await,
        }
    };
    #[cfg(feature = "rtsp")]
    let rtsp = rtsp_door.serve(config, tls.as_ref(), Arc::clone(&app));
    #[cfg(not(feature = "rtsp"))]
    let rtsp = std::future::pending::<std::convert::Infallible>();
    tokio::select! {
        never = serving => match never {},
        never = publishing => match never {},
        never = side_doors.serve(config, tls.as_ref(), address.port(), metrics) => match never {},
        never = console_door.serve(config, tls.as_ref(), address, console) => match never {},
        never = rtsp => match never {},
        signal = stop => tracing::info!(signal, "stopping"),
    }
    #[cfg(feature = "rtsp")]
    rtsp_stop.stop();
    drain(&app, limits.drain_timeout).await;
    // It waits for GStreamer's threads; those of the runtime go on meanwhile.
    let _ = tokio::task::spawn_blocking(move || supervisor.shutdown()).await;
    records.close().await;
    tracing::info!("stopped");
    Ok(())
}

async fn listen_for_publishers(embedded: &Embedded) -> Result<TcpListener, ServeError> {
    let address = embedded.listen;
    let bound = embedded::bind(address).await;
    let key = "origin.embedded.listen";
    let socket = bound.map_err(|error| ServeError::BindBeside {
        key,
        address,
        error,
    })?;
    tracing::info!(
        "publishers are taken on rtmp://{address}/{}",
        embedded.application
    );
    Ok(socket)
}

fn embedded_settings(embedded: &Embedded, limits: &Limits) -> embedded::Settings {
    embedded::Settings {
        name: OriginName::new(config::EMBEDDED),
        application: embedded.application.clone(),
        keys: embedded.keys.clone(),
        publishers: limits.max_publishers,
        patience: limits.handshake_timeout,
    }
}

fn doors(
    config: &Config,
    hub: &Arc<Hub>,
    records: Arc<dyn Records>,
) -> Result<Arc<App>, ServeError> {
    let embedded = config.embedded.iter().map(Embedded::as_origin);
    let origins: Vec<_> = config.origins.iter().cloned().chain(embedded).collect();
    let origins = Origins::new(&origins)?;
    let limits = &config.limits;
    let players = Arc::<Players>::default();
    let issuer = Issuer::new(Arc::clone(&records), failure_limits(limits))
        .with_live(Arc::clone(&players) as _);
    let gate = Gate {
        keys: Arc::new(RecordedKeys(records)),
        origins: Arc::new(Selection(origins)),
        clock: Arc::new(now),
        skew: config.clock_skew_seconds,
        page_origins: config.page_origins.clone(),
        open: config.open_streams.clone().into(),
        audience: None,
    };
    let limits = app::Limits {
        viewers: limits.max_viewers,
        message_bytes: limits.max_message_bytes,
        fanout: FanoutLimits {
            means: config.fanout,
            // Rust's programs ignore SIGPIPE.
            pages: true,
            stall: limits.stall_timeout,
            ..FanoutLimits::default()
        },
        on_expiry: config.on_expiry,
        sessions: limits.sessions,
        hls: true,
    };
    let app = App::new(
        Arc::clone(hub),
        gate,
        Some(Arc::new(IssuerApi {
            issuer,
            clock: now,
            description: Description::new(),
        })),
        Arc::new(config.trusted_proxies.clone()),
        hostname(),
        config.verify.clone(),
        &limits,
    )?;
    players.are_those_of(&app);
    Ok(app)
}

/// 4503 to every viewer, and time to take it.
async fn drain(app: &App, patience: Duration) {
    app.fanout.stop(patience);
    app.downloads.end(|_| true);
    let until = Instant::now() + patience;
    let viewers = || {
        let by_rtsp = app.traffic.rtsp.load(Ordering::Relaxed);
        app.fanout.counters().sessions.load(Ordering::Relaxed) + app.downloads.count() + by_rtsp
    };
    while viewers() > 0 && Instant::now() < until {
        tokio::time::sleep(DRAIN_STEP).await;
    }
    if viewers() > 0 {
        tracing::warn!(viewers = viewers(), "some viewers do not leave in time");
    }
}

fn transport(config: &Config) -> Result<Option<Tls>, ServeError> {
    Ok(match &config.transport {
        Transport::Plain => None,
        Transport::TlsFiles { certificate, key } => Some(tls::from_files(&TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        })?),
        Transport::TlsSelfSigned => {
            let made = SelfSigned::make(config.listen.ip())?;
            tracing::warn!("the certificate is made on the spot; browsers will ask about it");
            Some(tls::from_pem(&made.certificate, &made.key)?)
        }
    })
}

/// Resolves with the name of the signal that ends the server.
fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

fn cache_settings(limits: &Limits) -> CacheSettings {
    CacheSettings {
        age: limits.records_cache_age,
        entries: limits.records_cache_entries,
    }
}

fn failure_limits(limits: &Limits) -> FailureLimits {
    FailureLimits {
        burst: limits.api_failures,
        recovery_seconds: limits.api_failure_recovery_seconds,
        entries: limits.api_failure_entries,
    }
}

fn hub_limits(limits: &Limits) -> hub::Limits {
    hub::Limits {
        lag_bytes: limits.max_lag_bytes,
        ring_bytes: limits.max_gop_bytes,
        hls: hls::Settings {
            gather: memory_file::gather,
            ..hls::Settings::default()
        },
        ..hub::Limits::default()
    }
}

fn listener_limits(limits: &Limits) -> listener::Limits {
    listener::Limits {
        handshakes: limits.max_requests,
        patience: limits.handshake_timeout,
        head_bytes: limits.max_header_bytes,
        http2_streams: limits.max_http2_streams,
        http2_idle: limits.http2_idle_timeout,
        stall: limits.stall_timeout,
        ..listener::Limits::default()
    }
}

fn pulls(limits: &Limits) -> Settings {
    Settings {
        pace: Pace {
            pulls: limits.max_pulls,
            linger: limits.linger,
            ..Pace::default()
        },
        ..Settings::default()
    }
}

/// What players show as the server that they are connected to.
fn hostname() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 must not make every token valid.
    UnixSeconds(since.map_or(u64::MAX, |since| since.as_secs()))
}
