//! The operator's page: what plays, who watches, who was denied, and a form that mints.
//!
//! ```text
//! listener of its own ─▶ hosts (Host, Origin) ─▶ logins (cookie, CSRF) ─▶ events    snapshot, each second
//!                                                                     ├▶ kick      App::end_session
//!                                                                     └▶ mint      records ─▶ token::mint
//! ```
//!
//! Nothing is shown without a login but the form for it and its style.

mod answers;
mod events;
mod hosts;
mod login;
mod logins;
mod mint;
mod pages;
pub mod password;
mod qr;
mod rates;
mod snapshot;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use url::Url;

pub use logins::Lifetime;

use crate::http::app::App;
use crate::http::places::Places;
use crate::hub::OriginName;
use crate::issuer::{FailureLimits, Failures};
use crate::origin::Supervisor;
use crate::records::Records;
use crate::token::UnixSeconds;
use hosts::Hosts;
use logins::Logins;

/// Live views at once.
const WATCHERS: usize = 16;

/// Passwords that are hashed at once; each takes 19 MiB and a processor.
const HASHES: usize = 2;

/// Rows of a list that are shown; of more, the total is told.
const ROWS: usize = 200;

/// How a console is set up.
pub struct Settings {
    /// Where it listens.
    pub address: IpAddr,
    /// The names by which browsers may ask, beside those of loopback.
    pub hosts: Vec<String>,
    /// It is reached by TLS only, and so are its cookies.
    pub secure: bool,
    /// How long a login lasts.
    pub lifetime: Lifetime,
    /// Bounds on refused logins, for each address.
    pub failures: FailureLimits,
    /// Where viewers find the player page.
    pub page: Url,
    /// The `h5live.rtmp.url` by which each origin is selected.
    pub origins: Vec<(OriginName, String)>,
    /// The origin that streams are published to, and not pulled from.
    pub embedded: OriginName,
    /// How long a client may take nothing.
    pub stall: Duration,
    /// The time.
    pub clock: fn() -> UnixSeconds,
}

/// What answers the operator.
pub struct Console {
    app: Arc<App>,
    supervisor: Arc<Supervisor>,
    records: Arc<dyn Records>,
    settings: Settings,
    hosts: Hosts,
    logins: Logins,
    failures: Mutex<Failures>,
    hashes: Semaphore,
    watchers: Places,
}

impl Console {
    /// Over the doors, what pulls for them, and the records.
    pub fn new(
        app: Arc<App>,
        supervisor: Arc<Supervisor>,
        records: Arc<dyn Records>,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Self {
            app,
            supervisor,
            records,
            hosts: Hosts {
                address: Some(settings.address),
                names: settings.hosts.clone(),
            },
            logins: Logins::new(settings.lifetime),
            failures: Mutex::new(Failures::new(settings.failures)),
            hashes: Semaphore::new(HASHES),
            watchers: Places::new(WATCHERS),
            settings,
        })
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
