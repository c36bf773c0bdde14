//! The element's own doors, where no server gave it a publisher.

use std::sync::Arc;

use gstreamer as gst;

use super::audience::Listeners;
use super::dispatch::Dispatcher;
use super::imp::CAT;
use super::records::{Opened, RecordsError};
use super::settings::{Authority, Resolved, Settings, SettingsError};
use crate::http::standalone::{self, ListenError, Offer, Served};
use crate::hub::PublishError;

/// Open doors and the stream behind them. Dropping it closes them, unless another element of this
/// process shares them, and then waits a moment until what happened there is told.
pub(super) struct Doors {
    // In this order: the sessions that end with the doors are told of.
    pub served: Served,
    pub port: u16,
    pub listeners: Arc<Listeners>,
    _records: Option<Opened>,
    _dispatcher: Dispatcher,
}

/// Why there are no doors.
#[derive(Debug, thiserror::Error)]
pub(super) enum DoorsError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("can't start the thread that tells of clients ({0})")]
    Thread(#[from] std::io::Error),
}

/// Opens the doors that the settings ask for, or joins those that are open there already.
pub(super) fn open(
    settings: &Settings,
    element: &super::H5LiveAuthSink,
) -> Result<Doors, DoorsError> {
    let Resolved {
        stream,
        authority,
        open,
        address,
        options,
        plain_http,
        authorize_timeout,
    } = settings.resolve()?;
    let (queue, dispatcher) = Dispatcher::start(element)?;
    let listeners = Arc::new(Listeners::new(element, queue, authorize_timeout));
    // Before the doors: who comes to them is let in or not, and never too early.
    let (authority, mut records) = match authority {
        Authority::Key(key) => (standalone::Authority::Key(key), None),
        Authority::Records(wanted) => {
            let (opened, authority) = wanted.open(&stream)?;
            if let standalone::Authority::Kept { current, .. } = &authority
                && current.is_empty()
            {
                gst::warning!(
                    CAT,
                    obj = element,
                    "the records have no secret of {stream} nor of its organisation yet: nobody can play"
                );
            }
            (authority, Some(opened))
        }
    };
    let listener = standalone::open(address, options, plain_http)?;
    let served = listener.serve(Offer {
        stream,
        authority,
        open,
        audience: Some(Arc::clone(&listeners) as _),
    })?;
    if let Some(records) = &mut records {
        records.follow(served.players());
    }
    Ok(Doors {
        served,
        port: listener.local_addr().port(),
        listeners,
        _records: records,
        _dispatcher: dispatcher,
    })
}
