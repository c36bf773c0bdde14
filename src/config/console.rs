//! `[console]`: the operator's page.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use super::section::Section;
use super::{ConfigError, Transport};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The operator's page, at `/console/` of a listener of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// `listen`: where it is.
    pub listen: SocketAddr,
    /// Whether it speaks TLS: away from loopback, unless `plain-http` says that a proxy does.
    pub tls: bool,
    /// `hosts`: the names by which browsers may ask for it, beside those of loopback and its own
    /// address. Default: none.
    pub hosts: Vec<String>,
    /// `public-url`: where viewers find the player page. Default: as `server.listen` says.
    pub public_url: Option<Url>,
    /// `idle-timeout`: a login that no page uses ends after so long. Default 30 min.
    pub idle: Duration,
    /// `login-lifetime`: every login ends after so long. Default 12 h.
    pub lifetime: Duration,
}

/// Reads `[console]`; `taken` are the other listeners.
pub(super) fn read(
    mut section: Section,
    transport: &Transport,
    taken: &[SocketAddr],
) -> Result<Option<Console>, ConfigError> {
    let listen = section.parsed("listen", |text| {
        let own = super::address(text, "127.0.0.1:8190")?;
        match taken.contains(&own) {
            true => Err("is taken by another listener. Write another port.".into()),
            false => Ok(own),
        }
    })?;
    let allow_remote = section.flag("allow-remote")?.unwrap_or(false);
    let plain_http = section.flag("plain-http")?.unwrap_or(false);
    let hosts = section.parsed_list("hosts", host)?;
    let public_url = section.parsed("public-url", public_url)?;
    let idle = section.duration("idle-timeout", 30 * MINUTE, MINUTE, DAY)?;
    let lifetime = section.duration("login-lifetime", DAY / 2, MINUTE, 30 * DAY)?;
    let Some(listen) = listen else {
        return section.finish().map(|()| None);
    };
    let remote = !listen.ip().is_loopback();
    if remote && !allow_remote {
        return Err(section.wrong(
            "listen",
            format!(
                "{listen} is not a loopback address. Write 127.0.0.1 and come by \"ssh -L\", or set console.allow-remote = true."
            ),
        ));
    }
    if remote && !plain_http && *transport == Transport::Plain {
        return Err(section.wrong(
            "listen",
            format!(
                "{listen} is not a loopback address, and plain HTTP there would show the password. \
                 Give [tls] a certificate and a key, or set console.plain-http = true where a proxy in front does TLS."
            ),
        ));
    }
    if listen.ip().is_unspecified() && hosts.is_empty() {
        return Err(section.wrong(
            "hosts",
            "is empty, but the console listens on every address. Write the names that its operators use, e.g. [\"console.example.com\"].",
        ));
    }
    section.finish()?;
    Ok(Some(Console {
        listen,
        tls: remote && !plain_http,
        hosts,
        public_url,
        idle,
        lifetime,
    }))
}

fn host(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
    let port = !text.starts_with('[') && text.contains(':');
    if !port && (1..=253).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "\"{text}\" is no host name. Write it without scheme and port, e.g. \"console.example.com\"."
    ))
}

fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    url.ok_or_else(|| {
        format!(
            "\"{text}\" is not the address of a page. Write e.g. \"https://play.example.com/\"."
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/h5live")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_console_away_from_loopback_is_wanted_and_safe_or_refused() {
        const TLS: &str = "[tls]\nself-signed = true\n";
        let remote = "[console]\nlisten = \"192.0.2.1:8190\"\n";
        let every = "[console]\nlisten = \"0.0.0.0:8190\"\nallow-remote = true\n";
        let rows = [
            ("[console]\nlisten = \"127.0.0.1:8190\"", Ok(false)),
            ("[console]\nlisten = \"[::1]:8190\"", Ok(false)),
            (
                "[tls]\nself-signed = true\n[console]\nlisten = \"127.0.0.1:8190\"",
                Ok(false),
            ),
            (
                remote,
                Err("console.listen: 192.0.2.1:8190 is not a loopback address. Write"),
            ),
            (
                &format!("{TLS}{remote}"),
                Err("console.listen: 192.0.2.1:8190 is not a loopback address. Write"),
            ),
            (
                &format!("{remote}allow-remote = true"),
                Err("console.listen: 192.0.2.1:8190 is not a loopback address, and plain"),
            ),
            (&format!("{TLS}{remote}allow-remote = true"), Ok(true)),
            (
                &format!("{remote}allow-remote = true\nplain-http = true"),
                Ok(false),
            ),
            (
                &format!("{TLS}{every}"),
                Err("console.hosts: is empty, but the console listens on every address."),
            ),
            (
                &format!("{TLS}{every}hosts = [\"Console.example.com\"]"),
                Ok(true),
            ),
            (
                &format!("{TLS}{every}hosts = [\"a:8190\"]"),
                Err("console.hosts[0]: \"a:8190\" is no host name."),
            ),
            (
                "[console]\nlisten = \"127.0.0.1:8180\"",
                Err("console.listen: is taken by another listener."),
            ),
            (
                "[console]\npublic-url = \"ws://h/\"",
                Err("console.public-url: \"ws://h/\" is not the address of a page."),
            ),
            (
                "[console]\nidle-timeout = \"1s\"",
                Err("console.idle-timeout: \"1s\" is out of range."),
            ),
        ];
        for (text, expected) in rows {
            match (parse(text), expected) {
                (Ok(config), Ok(tls)) => {
                    assert_eq!(config.console.expect(text).tls, tls, "{text}");
                }
                (Err(error), Err(start)) => assert!(error.starts_with(start), "{text}: {error}"),
                (found, _) => unreachable!("{text}: {:?}", found.err()),
            }
        }
        assert_eq!(parse("[console]\nhosts = []").unwrap().console, None);
    }
}
