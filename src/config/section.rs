//! One table of the TOML file while it is read: every key is taken out once, what is left over at
//! the end is unknown.

use std::fmt::Display;
use std::time::Duration;

use toml::Value;

use super::ConfigError;

/// A table, its path in the file, and the keys that were asked of it so far.
pub(super) struct Section {
    path: String,
    table: toml::Table,
    known: Vec<&'static str>,
}

impl Section {
    /// The whole file.
    pub(super) fn root(text: &str) -> Result<Self, ConfigError> {
        // The parser's own Display prints the line; were the file no configuration but a secret's,
        // that would show it.
        let table = text
            .parse::<toml::Table>()
            .map_err(|error| ConfigError::NotToml {
                line: 1 + error
                    .span()
                    .and_then(|span| text.get(..span.start))
                    .map_or(0, |before| before.matches('\n').count()),
                reason: error
                    .message()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            })?;
        Ok(Self {
            path: String::new(),
            table,
            known: Vec::new(),
        })
    }

    /// A table below this one; empty where the file has none.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Self, ConfigError> {
        let table = match self.take(key) {
            None => toml::Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => return Err(self.mistyped(key, &other, "a table")),
        };
        Ok(Self {
            path: self.path_of(key),
            table,
            known: Vec::new(),
        })
    }

    /// An array of tables (`[[key]]`); empty where the file has none.
    pub(super) fn sections(&mut self, key: &'static str) -> Result<Vec<Self>, ConfigError> {
        let values = match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(other) => return Err(self.mistyped(key, &other, "a list of tables")),
        };
        let path = self.path_of(key);
        let mut sections = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            match value {
                Value::Table(table) => {
                    sections.push(Self {
                        path: format!("{path}[{index}]"),
                        table,
                        known: Vec::new(),
                    });
                }
                other => return Err(self.mistyped(key, &other, "a list of tables")),
            }
        }
        Ok(sections)
    }

    /// A string.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.mistyped(key, &other, "a string")),
        }
    }

    /// A string that must be there.
    pub(super) fn required(&mut self, key: &'static str) -> Result<String, ConfigError> {
        self.text(key)?
            .ok_or_else(|| self.wrong(key, "is missing."))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Boolean(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.mistyped(key, &other, "true or false")),
        }
    }

    /// A string with a form of its own; `parse` says what is wrong and what to write.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        self.text(key)?
            .map(|text| parse(&text).map_err(|problem| self.wrong(key, problem)))
            .transpose()
    }

    /// A list of such strings; empty where the key is missing.
    pub(super) fn parsed_list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        Ok(self.parsed_list_or_missing(key, parse)?.unwrap_or_default())
    }

    /// A list of such strings, told apart from a missing key.
    pub(super) fn parsed_list_or_missing<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, ConfigError> {
        let values = match self.take(key) {
            None => return Ok(None),
            Some(Value::Array(values)) => values,
            Some(other) => return Err(self.mistyped(key, &other, "a list of strings")),
        };
        let mut items = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let Value::String(text) = value else {
                return Err(self.mistyped(key, value, "a list of strings"));
            };
            items.push(parse(text).map_err(|problem| ConfigError::Wrong {
                key: format!("{}[{index}]", self.path_of(key)),
                problem,
            })?);
        }
        Ok(Some(items))
    }

    /// A whole number from `least` to `most`.
    pub(super) fn count<T>(
        &mut self,
        key: &'static str,
        default: T,
        least: T,
        most: T,
    ) -> Result<T, ConfigError>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let number = match self.take(key) {
            None => return Ok(default),
            Some(Value::Integer(number)) => number,
            Some(other) => return Err(self.mistyped(key, &other, "a whole number")),
        };
        let range = format!("{number} is out of range. Write a number from {least} to {most}.");
        T::try_from(number)
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.wrong(key, range))
    }

    /// A length of time such as `"3s"`, `"250ms"` or `"1m 30s"`, from `least` to `most`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        least: Duration,
        most: Duration,
    ) -> Result<Duration, ConfigError> {
        let read = self.parsed(key, |text| {
            let duration = humantime::parse_duration(text).map_err(|_| {
                format!("\"{text}\" is not a length of time. Write e.g. \"3s\" or \"250ms\".")
            })?;
            if (least..=most).contains(&duration) {
                return Ok(duration);
            }
            Err(format!(
                "\"{text}\" is out of range. Write a time from \"{}\" to \"{}\".",
                humantime::format_duration(least),
                humantime::format_duration(most),
            ))
        })?;
        Ok(read.unwrap_or(default))
    }

    /// A length of time in whole seconds, from `least` to `most` of them.
    pub(super) fn whole_seconds(
        &mut self,
        key: &'static str,
        default: u64,
        least: u64,
        most: u64,
    ) -> Result<u64, ConfigError> {
        let [default, least, most] = [default, least, most].map(Duration::from_secs);
        let duration = self.duration(key, default, least, most)?;
        if duration.subsec_nanos() != 0 {
            return Err(self.wrong(key, "must be whole seconds. Write e.g. \"2s\"."));
        }
        Ok(duration.as_secs())
    }

    /// An error at a key of this table.
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::Wrong {
            key: self.path_of(key),
            problem: problem.into(),
        }
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        match self.table.keys().next() {
            None => Ok(()),
            Some(key) => Err(ConfigError::UnknownKey {
                key: self.path_of(key),
                known: self.known.join(", "),
            }),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn mistyped(&self, key: &str, found: &Value, wanted: &str) -> ConfigError {
        self.wrong(
            key,
            format!("is of type {}, expected {wanted}.", found.type_str()),
        )
    }
}
