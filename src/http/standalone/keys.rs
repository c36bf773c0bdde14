//! The streams that a listener serves: the keys of each, and the application behind it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Offer;
use crate::http::admit::{KeySource, Lookup};
use crate::http::audience::{Asked, Audience, Farewell, Turned, Word};
use crate::http::leases::Listed;
use crate::token::{Facts, Grant, Key, KeyLookup, Kid, OpenStream, OpenStreams, Scope, StreamName};

/// What a stream's tokens are signed with.
pub enum Authority {
    /// One key.
    Key(Key),
    /// The keys that somebody keeps for the stream and for its organisation.
    Kept {
        /// Where they are found.
        keys: Arc<dyn KeySource>,
        /// Those that hold at the moment.
        current: Vec<(Scope, Key)>,
    },
}

#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<StreamName, Kept>>);

struct Kept {
    /// `None`: the stream is not served.
    keys: Option<Arc<dyn KeySource>>,
    /// The last key of each scope that opened it. They stay when the stream is taken off, so that viewers
    /// who wait for it get it only from an element with the same ones.
    last: HashMap<Scope, Key>,
    open: bool,
    audience: Option<Arc<dyn Audience>>,
}

/// The one key of a stream.
struct OneKey(Key);

impl KeySource for OneKey {
    fn key<'a>(&'a self, _: &'a StreamName, scope: &'a Scope, kid: Kid) -> Lookup<'a> {
        let found = matches!(scope, Scope::Stream(_)) && self.0.kid() == kid;
        Box::pin(std::future::ready(match found {
            true => KeyLookup::Found(self.0.clone()),
            false => KeyLookup::Unknown,
        }))
    }
}

impl Keys {
    /// The scopes whose tokens were let in before, and are no longer under this authority.
    pub fn void(&self, stream: &StreamName, authority: &Authority) -> Vec<Scope> {
        let keys = self.lock();
        let last = keys.get(stream).into_iter().flat_map(|kept| &kept.last);
        last.filter(|(scope, last)| !authority.still_has(scope, last))
            .map(|(scope, _)| scope.clone())
            .collect()
    }

    /// Lets tokens of this authority open a stream.
    pub fn serve(&self, offer: Offer) {
        let Offer {
            stream,
            authority,
            open,
            audience,
        } = offer;
        let (keys, last): (Arc<dyn KeySource>, _) = match authority {
            Authority::Key(key) => {
                let last = HashMap::from([(Scope::Stream(stream.clone()), key.clone())]);
                (Arc::new(OneKey(key)), last)
            }
            Authority::Kept { keys, current } => (keys, current.into_iter().collect()),
        };
        let kept = Kept {
            keys: Some(keys),
            last,
            open,
            audience,
        };
        self.lock().insert(stream, kept);
    }

    /// Takes a stream off.
    pub fn leave(&self, stream: &StreamName) {
        if let Some(kept) = self.lock().get_mut(stream) {
            kept.keys = None;
        }
    }

    /// The streams that need no token.
    pub fn open(&self) -> OpenStreams {
        let keys = self.lock();
        let open = keys
            .iter()
            .filter(|(_, kept)| kept.keys.is_some() && kept.open);
        open.filter_map(|(stream, _)| OpenStream::parse(stream.as_str()).ok())
            .collect()
    }

    fn audience(&self, stream: &StreamName) -> Option<Arc<dyn Audience>> {
        self.lock().get(stream)?.audience.clone()
    }

    fn keys_of(&self, stream: &StreamName) -> Option<Arc<dyn KeySource>> {
        self.lock().get(stream)?.keys.clone()
    }

    /// Notes that a key opens a stream. `false`: those are no longer the stream's keys.
    fn note(
        &self,
        stream: &StreamName,
        from: &Arc<dyn KeySource>,
        scope: &Scope,
        key: &Key,
    ) -> bool {
        let mut keys = self.lock();
        let Some(kept) = keys.get_mut(stream) else {
            return false;
        };
        if !(kept.keys.as_ref()).is_some_and(|keys| Arc::ptr_eq(keys, from)) {
            return false;
        }
        // Answers may come in another order than that of the changes.
        let last = kept.last.get(scope).map(Key::revision);
        if last.is_none_or(|last| last < key.revision()) {
            kept.last.insert(scope.clone(), key.clone());
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamName, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// Whether a key that opened the stream before is one of its keys now.
    fn still_has(&self, scope: &Scope, last: &Key) -> bool {
        match self {
            Self::Key(key) => matches!(scope, Scope::Stream(_)) && key.same_secret(last),
            // By its revision it will be withdrawn.
            Self::Kept { current, .. } => current.iter().any(|(of, key)| {
                of == scope && key.revision() == last.revision() && key.same_secret(last)
            }),
        }
    }
}

/// Each stream's own keys: they open no other, whatever the token's scope.
impl KeySource for Keys {
    fn key<'a>(&'a self, stream: &'a StreamName, scope: &'a Scope, kid: Kid) -> Lookup<'a> {
        let Some(keys) = self.keys_of(stream) else {
            return Box::pin(std::future::ready(KeyLookup::Unknown));
        };
        Box::pin(async move {
            let found = keys.key(stream, scope, kid).await;
            match &found {
                KeyLookup::Found(key) if !self.note(stream, &keys, scope, key) => {
                    KeyLookup::Unavailable
                }
                _ => found,
            }
        })
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
