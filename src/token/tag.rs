//! A text of the minter's choice that a token is bound to.

use std::sync::Arc;

/// Bytes of the longest tag: a query value of a few hundred characters at most, even where every byte is
/// percent-encoded.
pub const LONGEST_TAG: usize = 255;

/// 1 to 255 bytes of UTF-8 without control characters. Compared byte for byte, never normalised.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(Arc<str>);

/// Why a text is no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Empty, or longer than 255 bytes.
    #[error("a tag has 1 to 255 bytes in UTF-8, this one has {0}")]
    Length(usize),
    /// A control character (Unicode category Cc).
    #[error("a tag has no control characters")]
    Control,
}

impl Tag {
    /// Reads a tag as it is.
    pub fn parse(text: &str) -> Result<Tag, TagError> {
        if !(1..=LONGEST_TAG).contains(&text.len()) {
            return Err(TagError::Length(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(TagError::Control);
        }
        Ok(Tag(text.into()))
    }

    /// The tag as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Tag, TagError};

    #[test]
    fn length_is_counted_in_bytes() {
        assert!(Tag::parse("x").is_ok());
        assert!(Tag::parse(&"x".repeat(255)).is_ok());
        assert_eq!(Tag::parse(""), Err(TagError::Length(0)));
        assert_eq!(Tag::parse(&"x".repeat(256)), Err(TagError::Length(256)));
        assert_eq!(Tag::parse(&"é".repeat(128)), Err(TagError::Length(256)));
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\0", "\n", "a\tb", "\u{1b}[31m", "\u{7f}", "\u{85}"] {
            assert_eq!(Tag::parse(text), Err(TagError::Control), "{text:?}");
        }
    }
}
