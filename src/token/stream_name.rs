//! The one parser of stream names.
//!
//! ```text
//! stream name   orga 1*( "-" part )     at most 255 bytes
//! orga          1 to 32 of A-Z a-z 0-9
//! part          1 to 64 of A-Z a-z 0-9 "_"
//! ```
//!
//! Strict because a name ends up in an RTMP location, which librtmp reads as an option string: a
//! space in a name would let a viewer choose what is dialled.

use std::fmt;
use std::sync::Arc;

const LONGEST_NAME: usize = 255;
const LONGEST_ORGA: usize = 32;
const LONGEST_PART: usize = 64;

/// A stream's name, `<organisation hash>-<stream>`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

/// An organisation's hash: what stands before the first `-` of its streams' names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Orga(Arc<str>);

/// Why a text is no stream name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamNameError {
    /// Longer than 255 bytes.
    #[error("a stream name has at most 255 bytes, this one has {0}")]
    Length(usize),
    /// What stands before the first `-` is no organisation hash.
    #[error("a stream name begins with its organisation: {0}")]
    Orga(#[from] OrgaError),
    /// There is no part after the organisation hash, or one that is empty, too long or has other characters.
    #[error(
        "a stream name goes on after its organisation with `-` and 1 to 64 letters, digits or `_`, once or more"
    )]
    Part,
}

/// A text is no organisation hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an organisation hash is 1 to 32 letters and digits, nothing else")]
pub struct OrgaError;

impl StreamName {
    /// Reads a name. Nothing is trimmed or decoded.
    pub fn parse(text: &str) -> Result<StreamName, StreamNameError> {
        if text.len() > LONGEST_NAME {
            return Err(StreamNameError::Length(text.len()));
        }
        let mut parts = text.split('-');
        check_orga(parts.next().unwrap_or_default())?;
        let mut any = false;
        for part in parts {
            any = true;
            let characters = part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !characters || !(1..=LONGEST_PART).contains(&part.len()) {
                return Err(StreamNameError::Part);
            }
        }
        if any {
            Ok(StreamName(text.into()))
        } else {
            Err(StreamNameError::Part)
        }
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The organisation that the stream belongs to.
    pub fn orga(&self) -> Orga {
        let orga = self
            .0
            .split_once('-')
            .map_or(self.as_str(), |(orga, _)| orga);
        Orga(orga.into())
    }
}

impl Orga {
    /// Reads an organisation hash. Nothing is trimmed or decoded.
    pub fn parse(text: &str) -> Result<Orga, OrgaError> {
        check_orga(text)?;
        Ok(Orga(text.into()))
    }

    /// The hash as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_orga(text: &str) -> Result<(), OrgaError> {
    let characters = text.bytes().all(|b| b.is_ascii_alphanumeric());
    if characters && (1..=LONGEST_ORGA).contains(&text.len()) {
        Ok(())
    } else {
        Err(OrgaError)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Orga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
