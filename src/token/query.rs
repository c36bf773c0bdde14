//! The one parser of query strings: strict, bounded, and blind to nothing.
//!
//! ```text
//! query   pair *( "&" pair )     pairs that are empty are passed over
//! pair    name [ "=" value ]     percent-encoded UTF-8; "+" is a space
//! ```
//!
//! This is `application/x-www-form-urlencoded` (URL standard, 5.1) without its leniency: what that
//! would repair or replace is refused, so that no second reader can have another opinion.

use std::fmt;

use percent_encoding::percent_decode_str;

const LONGEST_QUERY: usize = 16 * 1024;
const MOST_PARAMETERS: usize = 64;
const LONGEST_PART: usize = 4 * 1024;

/// The parameters of a query string, decoded, in order. `Debug` does not show the values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// Why a query string is refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Longer than 16 KiB.
    #[error("the query has {0} bytes: send at most 16384")]
    Length(usize),
    /// More than 64 parameters.
    #[error("the query has more than 64 parameters: send fewer")]
    Parameters,
    /// A decoded name or value is longer than 4 KiB.
    #[error("a query parameter has more than 4096 bytes: send a shorter one")]
    Part,
    /// A control character, a space, a `#` or a byte outside ASCII stands there as it is.
    #[error("the query has a character that must be percent-encoded at byte {0}")]
    Character(usize),
    /// A `%` without two hexadecimal digits.
    #[error("the query has a `%` without two hexadecimal digits: write it as %25")]
    Percent,
    /// What was decoded is not UTF-8.
    #[error("a query parameter is not UTF-8 when decoded: encode it as UTF-8")]
    Utf8,
}

/// A parameter comes more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameter is repeated: send it once")]
pub struct Repeated;

impl Query {
    /// Reads a raw query string, without the `?` before it.
    ///
    /// At most 16 KiB in all, 64 parameters, and 4 KiB for each decoded name and value.
    pub fn parse(raw: &str) -> Result<Query, QueryError> {
        if raw.len() > LONGEST_QUERY {
            return Err(QueryError::Length(raw.len()));
        }
        if let Some(at) = raw.bytes().position(|b| !b.is_ascii_graphic() || b == b'#') {
            return Err(QueryError::Character(at));
        }
        let mut parameters = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == MOST_PARAMETERS {
                return Err(QueryError::Parameters);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((decode(name)?, decode(value)?));
        }
        Ok(Query(parameters))
    }

    /// The value of a parameter that must not be repeated. Names are compared as they are: case
    /// counts, and `name[]` is another name.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Repeated),
        }
    }

    /// Every value of a parameter, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

fn decode(text: &str) -> Result<String, QueryError> {
    // The crate leaves a stray `%` as it is; that would be a second spelling of `%25`.
    let mut escapes = text.split('%').skip(1);
    if !escapes.all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit())) {
        return Err(QueryError::Percent);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| QueryError::Utf8)?;
    if decoded.len() > LONGEST_PART {
        return Err(QueryError::Part);
    }
    Ok(decoded.into_owned())
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Query")?;
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests;
