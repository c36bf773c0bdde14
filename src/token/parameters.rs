//! The four security parameters of a request, as they were sent.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::{Denial, Query};

/// `token`, `expires`, `options` and `tag`, unread. Empty is the same as absent, since players leave
/// out or send empty what is not bound. `Debug` does not show the token.
///
/// As JSON (`security` of `onUpdateSource`): an object. `expires` and `options` are a string or a
/// whole number, the others a string. Other keys are ignored; another type, `null` and a repeated
/// key are errors.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The token.
    pub token: Option<String>,
    /// Unix seconds in decimal.
    pub expires: Option<String>,
    /// The bit set in decimal.
    pub options: Option<String>,
    /// The tag.
    pub tag: Option<String>,
}

impl Parameters {
    /// Takes the security parameters out of a query.
    ///
    /// Players that also have a "server token" send it as a first `token`: of two, the last is ours.
    /// Three of them, or two of any other, are denied.
    pub fn from_query(query: &Query) -> Result<Parameters, Denial> {
        let once = |name: &'static str| match query.get(name) {
            Ok(value) => Ok(value.filter(|text| !text.is_empty()).map(str::to_owned)),
            Err(_) => Err(Denial::Repeated(name)),
        };
        let mut tokens = query.all("token");
        let (first, second) = (tokens.next(), tokens.next());
        if tokens.next().is_some() {
            return Err(Denial::Repeated("token"));
        }
        Ok(Parameters {
            token: second
                .or(first)
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
            expires: once("expires")?,
            options: once("options")?,
            tag: once("tag")?,
        })
    }
}

impl<'de> serde::Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parameters, D::Error> {
        // Not `deserialize_map`: its own error prints a string in place of the object.
        deserializer.deserialize_any(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Parameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with token, expires, options and tag")
    }

    /// Overridden because the provided one prints the string, which may be a token.
    fn visit_str<E: Error>(self, _: &str) -> Result<Parameters, E> {
        Err(E::custom(
            "security must be an object with token, expires, options and tag, not a string",
        ))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
        let mut parameters = Parameters::default();
        while let Some(key) = map.next_key::<String>()? {
            let (field, name, numbers) = match key.as_str() {
                "token" => (&mut parameters.token, "token", false),
                "expires" => (&mut parameters.expires, "expires", true),
                "options" => (&mut parameters.options, "options", true),
                "tag" => (&mut parameters.tag, "tag", false),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if field.is_some() {
                return Err(A::Error::duplicate_field(name));
            }
            *field = Some(map.next_value_seed(Text { numbers })?);
        }
        for field in [
            &mut parameters.token,
            &mut parameters.expires,
            &mut parameters.options,
            &mut parameters.tag,
        ] {
            field.take_if(|text| text.is_empty());
        }
        Ok(parameters)
    }
}

/// A string, or where `numbers` says so a whole number, which becomes its decimal text.
struct Text {
    numbers: bool,
}

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.numbers {
            "a string or a whole number"
        } else {
            "a string"
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        if self.numbers {
            Ok(number.to_string())
        } else {
            Err(E::invalid_type(
                serde::de::Unexpected::Unsigned(number),
                &self,
            ))
        }
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters")
            .field("token", &self.token.as_ref().map(|_| "redacted"))
            .field("expires", &self.expires)
            .field("options", &self.options)
            .field("tag", &self.tag)
            .finish()
    }
}

#[cfg(test)]
mod tests;
