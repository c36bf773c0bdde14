//! How many sessions a token, and a tag within its organisation, have at this server. Pure.
//!
//! ```text
//! who comes, at the limit      its own player's earlier session    refuse-new     end-oldest
//! the same pid and address     makes way                           –              –
//! anybody else                 –                                   is refused     the oldest makes way
//! ```
//!
//! So a player that comes again because its connection died without a word takes its own place, and does
//! not wait until the dead session is noticed.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::token::{Grant, Orga, Tag, TokenId};

/// What happens when a token or a tag has as many sessions as it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSessionLimit {
    /// The new session is refused.
    #[default]
    RefuseNew,
    /// The oldest session is ended.
    EndOldest,
}

/// Bounds of sessions at once; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionLimits {
    /// By one token.
    pub per_token: usize,
    /// By tokens of one organisation with the same tag.
    pub per_tag: usize,
    /// Which one has to go.
    pub on_limit: OnSessionLimit,
}

/// There are as many sessions as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What sessions are counted by. Never across organisations: the token's secret belongs to one.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Subject {
    Token(TokenId),
    Tag(Orga, Tag),
}

/// The sessions of each subject, oldest first: ids rise.
#[derive(Default)]
pub(super) struct Counts {
    limits: SessionLimits,
    sessions: HashMap<Subject, BTreeSet<u64>>,
}

impl Counts {
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            sessions: HashMap::new(),
        }
    }

    fn subjects(
        &self,
        (grant, token): (&Grant, Option<TokenId>),
    ) -> impl Iterator<Item = (Subject, usize)> + use<> {
        let SessionLimits {
            per_token, per_tag, ..
        } = self.limits;
        // Who needs no token has none, and no tag either.
        let token = token.filter(|_| per_token > 0);
        let tag = grant.tag().filter(|_| per_tag > 0);
        let tag = tag.map(|tag| Subject::Tag(grant.stream().orga(), tag.clone()));
        let token = token.map(|id| (Subject::Token(id), per_token));
        token.into_iter().chain(tag.map(|tag| (tag, per_tag)))
    }

    /// The sessions that have to end so that one more may go on by this grant. `renewed` is that one
    /// where it goes on from another grant; `is_own` says which are the same player's.
    pub fn make_room(
        &self,
        grant: (&Grant, Option<TokenId>),
        renewed: Option<u64>,
        is_own: impl Fn(u64) -> bool,
    ) -> Result<Vec<u64>, Full> {
        let mut leave = HashSet::new();
        for (subject, limit) in self.subjects(grant) {
            let Some(sessions) = self.sessions.get(&subject) else {
                continue;
            };
            let others = sessions.iter().copied().filter(|id| Some(*id) != renewed);
            let mut others: Vec<u64> = others.filter(|id| !leave.contains(id)).collect();
            while others.len() >= limit {
                let own = others.iter().position(|id| is_own(*id));
                let index = match (own, self.limits.on_limit) {
                    (Some(own), _) => own,
                    (None, OnSessionLimit::EndOldest) => 0,
                    (None, OnSessionLimit::RefuseNew) => return Err(Full),
                };
                leave.insert(others.remove(index));
            }
        }
        Ok(leave.into_iter().collect())
    }

    pub fn insert(&mut self, id: u64, grant: (&Grant, Option<TokenId>)) {
        for (subject, _) in self.subjects(grant) {
            self.sessions.entry(subject).or_default().insert(id);
        }
    }

    pub fn remove(&mut self, id: u64, grant: (&Grant, Option<TokenId>)) {
        for (subject, _) in self.subjects(grant) {
            if let Some(sessions) = self.sessions.get_mut(&subject) {
                sessions.remove(&id);
                if sessions.is_empty() {
                    self.sessions.remove(&subject);
                }
            }
        }
    }
}
