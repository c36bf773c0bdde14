//! `[rtsp]`: the door for players that speak RTSP.

use std::net::SocketAddr;

use super::section::Section;
use super::{ConfigError, Transport};

/// The RTSP door, on a listener of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtsp {
    /// `listen`: where it is.
    pub listen: SocketAddr,
    /// Whether it speaks TLS: where `[tls]` is given, unless `plain-rtsp` says otherwise.
    pub tls: bool,
}

/// Reads `[rtsp]`; `taken` are the other listeners.
pub(super) fn read(
    mut section: Section,
    transport: &Transport,
    taken: &[SocketAddr],
) -> Result<Option<Rtsp>, ConfigError> {
    let listen = section.parsed("listen", |text| {
        let own = super::address(text, "127.0.0.1:8554")?;
        match taken.contains(&own) {
            true => Err("is taken by another listener. Write another port.".into()),
            false => Ok(own),
        }
    })?;
    let plain = section.flag("plain-rtsp")?.unwrap_or(false);
    let Some(listen) = listen else {
        return section.finish().map(|()| None);
    };
    if cfg!(not(feature = "rtsp")) {
        return Err(section.wrong(
            "listen",
            "is given, but this server is built without RTSP. Build it with the feature \"rtsp\", or leave it out.",
        ));
    }
    if !plain && *transport == Transport::Plain && !listen.ip().is_loopback() {
        return Err(section.wrong(
            "listen",
            format!(
                "{listen} is not a loopback address, and plain RTSP there would show tokens. \
                 Give [tls] a certificate and a key, or set rtsp.plain-rtsp = true."
            ),
        ));
    }
    section.finish()?;
    Ok(Some(Rtsp {
        listen,
        tls: !plain && *transport != Transport::Plain,
    }))
}

#[cfg(all(test, feature = "rtsp"))]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    #[test]
    fn tokens_cross_a_network_by_tls_or_where_it_is_asked_for() {
        const TLS: &str = "[tls]\nself-signed = true\n";
        let remote = "[rtsp]\nlisten = \"192.0.2.1:8554\"\n";
        let rows = [
            ("[rtsp]\nlisten = \"127.0.0.1:8554\"", Ok(Some(false))),
            ("[rtsp]\nlisten = \"[::1]:0\"", Ok(Some(false))),
            ("[rtsp]\nplain-rtsp = false", Ok(None)),
            (&format!("{TLS}{remote}"), Ok(Some(true))),
            (&format!("{TLS}{remote}plain-rtsp = true"), Ok(Some(false))),
            (&format!("{remote}plain-rtsp = true"), Ok(Some(false))),
            (
                remote,
                Err("rtsp.listen: 192.0.2.1:8554 is not a loopback address, and plain RTSP"),
            ),
            (
                "[rtsp]\nlisten = \"127.0.0.1:8180\"",
                Err("rtsp.listen: is taken by another listener."),
            ),
            (
                "[rtsp]\nlisten = \"127.0.0.1:9180\"\n[metrics]\nlisten = \"127.0.0.1:9180\"",
                Err("rtsp.listen: is taken by another listener."),
            ),
            (
                "[rtsp]\nlisten = \"8554\"",
                Err("rtsp.listen: \"8554\" is not an address with a port."),
            ),
            ("[rtsp]\nudp = true", Err("rtsp.udp: unknown key.")),
        ];
        for (text, expected) in rows {
            let found = Config::parse(text, Path::new("/etc/h5live"));
            match (found.map_err(|error| error.to_string()), expected) {
                (Ok(config), Ok(tls)) => {
                    assert_eq!(config.rtsp.map(|rtsp| rtsp.tls), tls, "{text}");
                }
                (Err(error), Err(start)) => assert!(error.starts_with(start), "{text}: {error}"),
                (found, _) => unreachable!("{text}: {:?}", found.err()),
            }
        }
    }
}
