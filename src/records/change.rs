//! What others are told when the records change.
//!
//! ```text
//! notification = sender ‖ " " ‖ revision ‖ " " ‖ scope      revision 0: the scope has no secret any more
//!              | sender ‖ " * " ‖ selection                 as JSON: sessions are to end
//! ```
//!
//! The sender is a random number of each store's own, so that it does not hear itself.

use serde_json::{Value, json};

use crate::token::{Orga, Scope, Selection, StreamName, Tag};

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
    /// Sessions are to end, whatever their secrets. Nothing of the records has changed, and who misses it
    /// cannot read it again.
    Sessions(Selection),
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
            Self::Sessions(selection) => Some(format!("{sender} * {}", written(selection))),
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

fn written(selection: &Selection) -> Value {
    json!({
        "orga": selection.orga.as_str(),
        "stream": selection.stream.as_ref().map(StreamName::as_str),
        "whole_orga": selection.whole_orga,
        "kid": selection.kid.map(|kid| kid.to_string()),
        "tag": selection.tag.as_ref().map(Tag::as_str),
        "ip": selection.ip,
    })
}

/// `None` also where one of its fields can't be read: without it, it would end more than it should.
fn selection(text: &str) -> Option<Selection> {
    let value: Value = serde_json::from_str(text).ok()?;
    let field = |name: &str| match value.get(name)? {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.as_str())),
        _ => None,
    };
    let mut read = Selection::of(Orga::parse(field("orga")??).ok()?);
    read.stream = field("stream")?.map(StreamName::parse).transpose().ok()?;
    read.whole_orga = value.get("whole_orga")?.as_bool()?;
    read.kid = field("kid")?.map(str::parse).transpose().ok()?;
    read.tag = field("tag")?.map(Tag::parse).transpose().ok()?;
    read.ip = field("ip")?.map(str::parse).transpose().ok()?;
    Some(read)
}

fn read(text: &str) -> Option<Change> {
    if let Some(text) = text.strip_prefix("* ") {
        return selection(text).map(Change::Sessions);
    }
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
    fn a_selection_is_read_as_it_is_written() {
        let mut selection = Selection::of(Orga::parse("AAA").unwrap());
        let heard = |selection: &Selection| {
            let text = Change::Sessions(selection.clone()).notification(5);
            Change::of_notification(&text.unwrap(), 6)
        };
        assert_eq!(heard(&selection), Some(Change::Sessions(selection.clone())));
        selection.stream = Some(StreamName::parse("AAA-one").unwrap());
        selection.whole_orga = true;
        selection.kid = Some("1a2b3c4d".parse().unwrap());
        selection.tag = Some(Tag::parse("a \"tag\" * é").unwrap());
        selection.ip = Some("2001:db8::7".parse().unwrap());
        assert_eq!(heard(&selection), Some(Change::Sessions(selection)));
        for text in [
            "5 * ",
            "5 * {}",
            r#"5 * {"orga":"AAA"}"#,
            r#"5 * {"orga":"AAA","stream":"x","whole_orga":false,"kid":null,"tag":null,"ip":null}"#,
        ] {
            assert_eq!(
                Change::of_notification(text, 6),
                Some(Change::Missed),
                "{text}"
            );
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
