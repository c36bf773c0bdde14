//! The policy that opens streams without a token: those that the operator has declared open.

use crate::token::{Claims, Denial, Grant, Kid, Orga, Scope, StreamName};

/// A stream's name, or `<beginning>-*` for all names that go on from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenStream {
    name: String,
    every: bool,
}

/// A text is no [`OpenStream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a stream's name such as ABCDE-demo, or its beginning and `-*` such as ABCDE-*")]
pub struct OpenStreamError;

/// What the operator has declared open; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenStreams(Vec<OpenStream>);

impl OpenStream {
    /// Reads one. A beginning has at least the whole organisation, so that none opens everything.
    pub fn parse(text: &str) -> Result<Self, OpenStreamError> {
        let (name, every) = match text.strip_suffix("-*") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let readable = StreamName::parse(name).is_ok() || (every && Orga::parse(name).is_ok());
        readable
            .then(|| Self {
                name: name.to_owned(),
                every,
            })
            .ok_or(OpenStreamError)
    }

    fn opens(&self, stream: &StreamName) -> bool {
        match stream.as_str().strip_prefix(&self.name) {
            Some(rest) if self.every => rest.starts_with('-'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }
}

impl OpenStreams {
    /// A grant for a stream that is declared open, bound to nothing but the stream.
    pub fn grant(&self, stream: &StreamName) -> Result<Grant, Denial> {
        if !self.0.iter().any(|open| open.opens(stream)) {
            return Err(Denial::NotOpen);
        }
        let claims = Claims::of(Scope::Stream(stream.clone()));
        Ok(Grant::new(stream.clone(), claims, Kid([0; 4]), 0).open())
    }
}

impl FromIterator<OpenStream> for OpenStreams {
    fn from_iter<I: IntoIterator<Item = OpenStream>>(streams: I) -> Self {
        Self(streams.into_iter().collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_open_and_nothing_else() {
        let declared = ["ABCDE-demo", "PUBLIC-*", "XYZ-live-*"];
        let open: OpenStreams = declared
            .iter()
            .map(|text| OpenStream::parse(text).unwrap())
            .collect();
        let rows = [
            ("ABCDE-demo", true),
            ("ABCDE-demo-1", false),
            ("ABCDE-demo1", false),
            ("ABCDE-dem", false),
            ("abcde-demo", false),
            ("PUBLIC-a", true),
            ("PUBLIC-a-b", true),
            ("PUBLICA-a", false),
            ("XYZ-live-1", true),
            ("XYZ-live", false),
            ("XYZ-live1", false),
            ("XYZ-other", false),
        ];
        for (name, expected) in rows {
            let stream = StreamName::parse(name).unwrap();
            let grant = open.grant(&stream);
            assert_eq!(grant.is_ok(), expected, "{name}");
            match grant {
                Ok(grant) => assert!(grant.is_open() && *grant.stream() == stream, "{name}"),
                Err(denial) => assert_eq!(denial, Denial::NotOpen, "{name}"),
            }
            assert_eq!(OpenStreams::default().grant(&stream), Err(Denial::NotOpen));
        }
    }

    #[test]
    fn what_would_open_more_than_it_says_is_refused() {
        for text in [
            "",
            "*",
            "-*",
            "ABCDE",
            "ABCDE-",
            "ABCDE-d*",
            "*-demo",
            "ABCDE-*-x",
            "A B-*",
        ] {
            assert_eq!(OpenStream::parse(text), Err(OpenStreamError), "{text}");
        }
    }
}
