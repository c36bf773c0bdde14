//! A request's JSON object, read strictly (RFC 8259): every key once, none that is not asked for.
//! Pure.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::ApiError;

/// A key is quoted in an error up to so many characters.
const QUOTED: usize = 64;

/// The keys and values of an object, in the order in which they came.
pub(super) struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Reads a body, which must be one object with keys of `known`, each at most once.
    pub(super) fn read(body: &[u8], known: &[&str]) -> Result<Self, ApiError> {
        // The parser's own words may quote a value, and that can be a secret.
        let fields: Self = serde_json::from_slice(body).map_err(|error| ApiError::NoObject {
            line: error.line(),
            column: error.column(),
        })?;
        for (index, (key, _)) in fields.0.iter().enumerate() {
            if !known.contains(&key.as_str()) {
                return Err(ApiError::UnknownField {
                    field: quoted(key),
                    known: known.join(", "),
                });
            }
            if fields
                .0
                .iter()
                .take(index)
                .any(|(earlier, _)| earlier == key)
            {
                return Err(ApiError::RepeatedField { field: quoted(key) });
            }
        }
        Ok(fields)
    }

    /// A value, `None` where the key is missing.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// A string, `None` where the key is missing.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<&str>, ApiError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ApiError::WrongType {
                field: key,
                wanted: "a string",
                found: type_of(other),
            }),
        }
    }

    /// A string, `None` also where it is empty: the seed's answers write `""` for what is not bound.
    pub(super) fn optional(&self, key: &'static str) -> Result<Option<&str>, ApiError> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()))
    }

    /// A string that must be there.
    pub(super) fn required(&self, key: &'static str) -> Result<&str, ApiError> {
        self.text(key)?.ok_or(ApiError::MissingField { field: key })
    }
}

/// What a JSON value is called.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn quoted(key: &str) -> String {
    key.chars().take(QUOTED).collect()
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
