//! The doors' interfaces over what the server has.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock, Weak};

use super::description::{self, Description};
use crate::http::admit::{KeySource, Lookup, OriginChoice};
use crate::http::app::{Answer, Api, ApiRequest, App};
use crate::hub::{Demand, OriginName, Source};
use crate::issuer::{Issuer, Live};
use crate::origin::{Origins, Supervisor};
use crate::records::{Records, Sessions, look_up};
use crate::token::{Kid, Orga, Scope, StreamName, UnixSeconds, Withdrawal};

/// Keys are what the records hold.
pub(super) struct RecordedKeys(pub Arc<dyn Records>);

impl KeySource for RecordedKeys {
    fn key<'a>(&'a self, _: &'a StreamName, scope: &'a Scope, kid: Kid) -> Lookup<'a> {
        Box::pin(look_up(&*self.0, scope, kid))
    }
}

/// What the records withdraw ends sessions on every door.
impl Sessions for App {
    fn secrets(&self) -> HashSet<(Scope, u64)> {
        self.leases.secrets(None)
    }

    fn withdraw(&self, withdrawal: &Withdrawal) -> usize {
        App::withdraw(self, withdrawal)
    }
}

/// What is published to us needs no pull.
pub(super) struct Pulls {
    pub supervisor: Arc<Supervisor>,
    pub embedded: OriginName,
}

impl Demand for Pulls {
    fn viewers_changed(&self, source: &Source, wanted: bool) {
        if source.origin != self.embedded {
            self.supervisor.viewers_changed(source, wanted);
        }
    }
}

/// An origin that an organisation may not use is to it as one that is not there.
pub(super) struct Selection(pub Origins);

impl OriginChoice for Selection {
    fn select(&self, url: Option<&str>, orga: &Orga) -> Option<OriginName> {
        self.0.choose(url, orga)
    }
}

/// Who plays at the doors. Those need the API, and so come after it.
#[derive(Default)]
pub(super) struct Players(OnceLock<Weak<App>>);

impl Players {
    /// Says whose doors. Only the first call counts.
    pub fn are_those_of(&self, app: &Arc<App>) {
        let _ = self.0.set(Arc::downgrade(app));
    }
}

impl Live for Players {
    fn withdraw(&self, withdrawal: &Withdrawal) -> usize {
        let app = self.0.get().and_then(Weak::upgrade);
        app.map_or(0, |app| app.withdraw(withdrawal))
    }
}

/// The API below `/secure/`.
pub(super) struct IssuerApi {
    pub issuer: Issuer,
    pub clock: fn() -> UnixSeconds,
    pub description: Description,
}

impl Api for IssuerApi {
    fn answer(&self, request: ApiRequest) -> Answer<'_> {
        if request.path == description::PATH {
            return Box::pin(std::future::ready(self.description.answer(&request.method)));
        }
        Box::pin(async move {
            let ApiRequest {
                method,
                path,
                headers,
                body,
                client,
            } = request;
            let now = (self.clock)();
            self.issuer
                .handle(&method, &path, &headers, body, now, client)
                .await
                .map(Into::into)
        })
    }
}
