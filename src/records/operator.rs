//! Who may use the console.

use std::fmt;

use crate::token::UnixSeconds;

/// The longest name.
const LONGEST: usize = 64;

/// An operator's name: 1 to 64 letters, digits, `.`, `_`, `-` and `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OperatorName(String);

/// What is kept of an operator.
#[derive(Clone, PartialEq, Eq)]
pub struct Operator {
    /// The name.
    pub name: OperatorName,
    /// The password's hash, as a PHC string.
    pub password: String,
    /// When the password was made.
    pub created: UnixSeconds,
}

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an operator's name has 1 to 64 letters, digits, '.', '_', '-' and '@'; choose such a one")]
pub struct OperatorNameError;

impl OperatorName {
    /// Reads one.
    ///
    /// # Errors
    /// [`OperatorNameError`]
    pub fn parse(text: &str) -> Result<Self, OperatorNameError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        match (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err(OperatorNameError),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("name", &self.name)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}
