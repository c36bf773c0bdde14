//! The console's listener.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use url::Url;

use super::ServeError;
use crate::config::{self, Config, Console as Section, Embedded, Transport};
use crate::console::{Console, Lifetime, Settings};
use crate::http::app::App;
use crate::http::tls::Tls;
use crate::http::{lasting_listener, listener};
use crate::hub::OriginName;
use crate::issuer::FailureLimits;
use crate::origin::Supervisor;
use crate::records::Records;
use crate::token::UnixSeconds;

/// Connections at once; a browser opens six.
const CONNECTIONS: usize = 64;

/// The port, bound; nothing is answered yet.
pub(super) struct ConsoleDoor(Option<TcpListener>);

/// What a console is over.
pub(super) struct Over {
    pub app: Arc<App>,
    pub supervisor: Arc<Supervisor>,
    pub records: Arc<dyn Records>,
    pub failures: FailureLimits,
    pub clock: fn() -> UnixSeconds,
}

impl ConsoleDoor {
    /// Opens the port, so that one that is taken is known before anything starts.
    pub fn bind(config: &Config) -> Result<Self, ServeError> {
        let Some(Section { listen, .. }) = config.console else {
            return Ok(Self(None));
        };
        let bound = listener::bind(listen).map_err(|error| ServeError::BindBeside {
            key: "console.listen",
            address: listen,
            error,
        });
        bound.map(Some).map(Self)
    }

    /// Answers until the future is dropped; `doors` is where viewers are answered.
    pub async fn serve(
        self,
        config: &Config,
        tls: Option<&Tls>,
        doors: SocketAddr,
        over: Over,
    ) -> Infallible {
        let (Some(socket), Some(section)) = (self.0, &config.console) else {
            return std::future::pending().await;
        };
        let tls = tls.filter(|_| section.tls).map(|tls| &*tls.config);
        if let Ok(address) = socket.local_addr() {
            let scheme = tls.map_or("http", |_| "https");
            tracing::info!("the console is at {scheme}://{address}/console/");
        }
        let settings = settings(config, section, doors, &over);
        let console = match settings {
            Some(settings) => Console::new(over.app, over.supervisor, over.records, settings),
            None => {
                tracing::error!("no link can be made of server.listen; set console.public-url");
                return std::future::pending().await;
            }
        };
        let limits = lasting_listener::Limits {
            connections: CONNECTIONS,
            patience: config.limits.handshake_timeout,
            stall: config.limits.stall_timeout,
            head_bytes: config.limits.max_header_bytes,
        };
        lasting_listener::serve(socket, tls, limits, move |peer, request| {
            Arc::clone(&console).answer(peer, request)
        })
        .await
    }
}

fn settings(
    config: &Config,
    section: &Section,
    doors: SocketAddr,
    over: &Over,
) -> Option<Settings> {
    let embedded = config.embedded.iter().map(Embedded::as_origin);
    let origins = config.origins.iter().cloned().chain(embedded);
    Some(Settings {
        address: section.listen.ip(),
        hosts: section.hosts.clone(),
        secure: section.tls,
        lifetime: Lifetime {
            idle: section.idle,
            whole: section.lifetime,
        },
        failures: over.failures,
        page: section.public_url.clone().or_else(|| page(config, doors))?,
        // The name that players are told rather than the one that is dialled.
        origins: origins
            .map(|origin| {
                let url = origin.aliases.first().unwrap_or(&origin.url);
                (OriginName::new(&origin.name), url.clone())
            })
            .collect(),
        embedded: OriginName::new(config::EMBEDDED),
        stall: config.limits.stall_timeout,
        clock: over.clock,
    })
}

/// Where the player page is, as far as the server knows.
fn page(config: &Config, mut doors: SocketAddr) -> Option<Url> {
    if doors.ip().is_unspecified() {
        doors.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let scheme = match config.transport {
        Transport::Plain => "http",
        _ => "https",
    };
    Url::parse(&format!("{scheme}://{doors}/")).ok()
}
