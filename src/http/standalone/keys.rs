//! The streams that a listener serves: each one's key, and the application behind it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Offer;
use crate::http::admit::{KeySource, Lookup};
use crate::http::audience::{Asked, Audience, Farewell, Turned, Word};
use crate::http::leases::Listed;
use crate::token::{Facts, Grant, Key, KeyLookup, Kid, OpenStream, OpenStreams, Scope, StreamName};

#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<StreamName, Kept>>);

/// A stream's key, numbered anew whenever its secret changes. It stays when the stream is taken off, so
/// that viewers who wait for it get it only from an element with the same secret.
struct Kept {
    key: Key,
    served: bool,
    open: bool,
    audience: Option<Arc<dyn Audience>>,
}

impl Keys {
    /// Lets tokens of this key open a stream. Returns its revision where the secret before was another.
    pub fn serve(&self, offer: Offer) -> Option<u64> {
        let Offer {
            stream,
            key,
            open,
            audience,
        } = offer;
        let mut keys = self.lock();
        let last = keys.get(&stream).map(|kept| &kept.key);
        let other = last.filter(|last| !last.same_secret(&key));
        let replaced = other.map(|other| other.revision() + 1);
        let revision = replaced.or(last.map(Key::revision)).unwrap_or_default();
        let key = Key::from_parts(key.kid(), *key.signing_bytes(), revision);
        let kept = Kept {
            key,
            served: true,
            open,
            audience,
        };
        keys.insert(stream, kept);
        replaced
    }

    /// Takes a stream off.
    pub fn leave(&self, stream: &StreamName) {
        if let Some(kept) = self.lock().get_mut(stream) {
            kept.served = false;
        }
    }

    /// The streams that need no token.
    pub fn open(&self) -> OpenStreams {
        let keys = self.lock();
        let open = keys.iter().filter(|(_, kept)| kept.served && kept.open);
        open.filter_map(|(stream, _)| OpenStream::parse(stream.as_str()).ok())
            .collect()
    }

    fn audience(&self, stream: &StreamName) -> Option<Arc<dyn Audience>> {
        self.lock().get(stream)?.audience.clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamName, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for Keys {
    fn key<'a>(&'a self, scope: &'a Scope, kid: Kid) -> Lookup<'a> {
        let found = match scope {
            Scope::Stream(stream) => self
                .lock()
                .get(stream)
                .filter(|kept| kept.served && kept.key.kid() == kid)
                .map(|kept| kept.key.clone()),
            Scope::Orga(_) => None,
        };
        Box::pin(std::future::ready(
            found.map_or(KeyLookup::Unknown, KeyLookup::Found),
        ))
    }
}

/// Each stream's own audience.
impl Audience for Keys {
    fn ask<'a>(&'a self, grant: &'a Grant, facts: &'a Facts) -> Asked<'a> {
        let audience = self.audience(grant.stream());
        Box::pin(async move {
            match audience {
                Some(audience) => audience.ask(grant, facts).await,
                None => Word::Agreed,
            }
        })
    }

    fn joined(&self, session: &Listed) {
        if let Some(audience) = self.audience(&session.stream) {
            audience.joined(session);
        }
    }

    fn left(&self, session: &Listed, farewell: Farewell) {
        if let Some(audience) = self.audience(&session.stream) {
            audience.left(session, farewell);
        }
    }

    fn turned(&self, viewer: Turned) {
        if let Some(audience) = self.audience(&viewer.stream) {
            audience.turned(viewer);
        }
    }
}
