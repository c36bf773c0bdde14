//! The element's own doors, where no server gave it a publisher.

use super::settings::{Resolved, Settings, SettingsError};
use crate::http::standalone::{self, ListenError, Served};
use crate::hub::PublishError;

/// Open doors and the stream behind them. Dropping it closes them, unless another element of this
/// process shares them.
pub(super) struct Doors {
    pub served: Served,
    pub port: u16,
}

/// Why there are no doors.
#[derive(Debug, thiserror::Error)]
pub(super) enum DoorsError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Opens the doors that the settings ask for, or joins those that are open there already.
pub(super) fn open(settings: &Settings) -> Result<Doors, DoorsError> {
    let Resolved {
        stream,
        secret,
        address,
        tls,
        plain_http,
    } = settings.resolve()?;
    let listener = standalone::open(address, tls, plain_http)?;
    let served = listener.serve(stream, secret.key())?;
    Ok(Doors {
        served,
        port: listener.local_addr().port(),
    })
}
