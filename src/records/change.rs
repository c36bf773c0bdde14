//! What others are told when the records change.
//!
//! ```text
//! notification = sender ‖ " " ‖ revision ‖ " " ‖ scope      revision 0: the scope has no secret any more
//! ```
//!
//! The sender is a random number of each store's own, so that it does not hear itself.

use crate::token::{Orga, Scope, StreamName};

/// How many changes a listener may be behind before it is told that it missed some.
pub(super) const BACKLOG: usize = 1024;

/// A change of the records. The same one may be told more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A scope's secret was registered, replaced or revoked.
    Key {
        /// Whose.
        scope: Scope,
        /// The revision that holds now; `None` where the secret was revoked. Grants of this scope with
        /// another revision are void.
        revision: Option<u64>,
    },
    /// Changes may have been missed, as the database was out of reach: whatever was read before has to
    /// be read again. A listener that lags (`RecvError::Lagged`) has to do the same.
    Missed,
}

impl Change {
    /// What is sent to other servers; no secret in it.
    pub(super) fn notification(&self, sender: u64) -> Option<String> {
        match self {
            Self::Key { scope, revision } => {
                let (revision, scope) = (revision.unwrap_or(0), scope.as_str());
                Some(format!("{sender} {revision} {scope}"))
            }
            Self::Missed => None,
        }
    }

    /// What another server sent; `None` where it was this one. What cannot be read may have been any
    /// change.
    pub(super) fn of_notification(text: &str, own: u64) -> Option<Self> {
        match text.split_once(' ') {
            Some((sender, _)) if sender == own.to_string() => None,
            Some((_, change)) => Some(read(change).unwrap_or(Self::Missed)),
            None => Some(Self::Missed),
        }
    }
}

fn read(text: &str) -> Option<Change> {
    let (revision, scope) = text.split_once(' ')?;
    let revision = revision.parse().ok()?;
    let scope = if scope.contains('-') {
        Scope::Stream(StreamName::parse(scope).ok()?)
    } else {
        Scope::Orga(Orga::parse(scope).ok()?)
    };
    Some(Change::Key {
        scope,
        revision: (revision > 0).then_some(revision),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_notification_is_read_as_it_is_written() {
        for (scope, revision, text) in [
            (
                Scope::Stream(StreamName::parse("AAA-one").unwrap()),
                Some(7),
                "5 7 AAA-one",
            ),
            (Scope::Orga(Orga::parse("AAA").unwrap()), None, "5 0 AAA"),
        ] {
            let change = Change::Key { scope, revision };
            assert_eq!(change.notification(5).as_deref(), Some(text));
            assert_eq!(Change::of_notification(text, 6), Some(change));
        }
    }

    #[test]
    fn a_store_does_not_hear_itself() {
        assert_eq!(Change::of_notification("6 7 AAA", 6), None);
    }

    #[test]
    fn what_cannot_be_read_may_have_been_anything() {
        for text in [
            "", "7", "5 7", "5 x AAA", "5 -1 AAA", "5 7 AAA-", "5 7  AAA", "5 7 A b",
        ] {
            let heard = Change::of_notification(text, 6);
            assert_eq!(heard, Some(Change::Missed), "{text:?}");
        }
    }
}
