//! The address of a PostgreSQL database, which may hold a password and never shows it.

use std::fmt;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// What may stand behind the `?`. Whatever else a driver would read there is refused: a password among
/// these would be shown, and a slip of the pen ignored.
const PARAMETERS: &[&str] = &["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/// `postgres://user:password@host:port/database`. `Display` and `Debug` leave the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Url);

/// Why a text is no such address. Never shows the text: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostgresUrlError {
    /// No URL at all, or of another scheme, or its parts cannot be read.
    #[error(
        "this is not the URL of a PostgreSQL database. Write e.g. \"postgres://user@host/database\", with special characters of a password as %-codes."
    )]
    Form,
    /// No database is named.
    #[error("this URL names no database. Write e.g. \"postgres://user@host/database\".")]
    Database,
    /// Something stands behind the `?` that is not known.
    #[error(
        "this URL has an unknown parameter behind the '?'. Known are host, sslmode, sslrootcert, sslcert and sslkey."
    )]
    Parameter,
}

impl PostgresUrl {
    /// Reads the text of a configuration.
    ///
    /// # Errors
    /// See [`PostgresUrlError`].
    pub fn parse(text: &str) -> Result<Self, PostgresUrlError> {
        let url = Url::parse(text).map_err(|_| PostgresUrlError::Form)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") || url.cannot_be_a_base() {
            return Err(PostgresUrlError::Form);
        }
        if url.path().trim_start_matches('/').is_empty() {
            return Err(PostgresUrlError::Database);
        }
        let known = |(key, _): (std::borrow::Cow<'_, str>, _)| PARAMETERS.contains(&&*key);
        if url.fragment().is_some() || !url.query_pairs().all(known) {
            return Err(PostgresUrlError::Parameter);
        }
        let url = Self(url);
        url.options().map_err(|_| PostgresUrlError::Form)?;
        Ok(url)
    }

    /// Whether a password stands in it.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.0.password().is_some()
    }

    pub(super) fn options(&self) -> Result<PgConnectOptions, sqlx::Error> {
        PgConnectOptions::from_url(&self.0)
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // Refused only where there is no host, and then there is no password either.
        let _ = shown.set_password(None);
        shown.fmt(f)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_password_is_read_and_never_shown() {
        for text in [
            "postgres://u:sesame@h:5433/db",
            "postgresql://u:sesame%21@h/db?sslmode=require",
            "postgres://u:sesame@/db?host=/run/postgresql",
        ] {
            let Ok(url) = PostgresUrl::parse(text) else {
                continue;
            };
            assert!(url.has_password());
            let shown = format!("{url} {url:?}");
            assert!(
                shown.contains("/db") && !shown.contains("sesame"),
                "{shown}"
            );
        }
        let url = PostgresUrl::parse("postgres://u:sesame@h:5433/db").unwrap();
        assert_eq!(url.to_string(), "postgres://u@h:5433/db");
        let socket = PostgresUrl::parse("postgres:///db?host=/run/postgresql").unwrap();
        assert!(!socket.has_password());
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        let rows = [
            ("postgres:sesame", PostgresUrlError::Form),
            ("postgres://u:sesame@h:port/db", PostgresUrlError::Form),
            ("postgres://u:sesame%ff@h/db", PostgresUrlError::Form),
            (
                "postgres://u:sesame@h/db?sslmode=sesame",
                PostgresUrlError::Form,
            ),
            ("mysql://u:sesame@h/db", PostgresUrlError::Form),
            ("postgres://u:sesame@h", PostgresUrlError::Database),
            (
                "postgres://u@h/db?password=sesame",
                PostgresUrlError::Parameter,
            ),
            (
                "postgres://u@h/db?pasword=sesame",
                PostgresUrlError::Parameter,
            ),
            ("postgres://u@h/db#sesame", PostgresUrlError::Parameter),
        ];
        for (text, expected) in rows {
            let error = PostgresUrl::parse(text).expect_err(text);
            assert_eq!(error, expected, "{text}");
            assert!(!format!("{error} {error:?}").contains("sesame"));
        }
    }
}
