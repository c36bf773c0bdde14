//! The addresses at which a token plays. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::token::{Minted, StreamName};

/// All but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a link is made of.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    /// The player page; the doors are at its host.
    pub page: &'a Url,
    /// `h5live.rtmp.url`: which origin plays. Empty: the only one.
    pub rtmp_url: &'a str,
    /// What plays; a token of an organisation may leave it open.
    pub stream: Option<&'a StreamName>,
    /// What it plays by.
    pub minted: &'a Minted,
}

/// The page's address can't be made one of the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the page's address cannot be made a WebSocket's; write one that begins with http:// or https://"
)]
pub struct LinksError;

impl Links<'_> {
    /// `h5live.server.websocket`
    ///
    /// # Errors
    /// [`LinksError`]
    pub fn websocket(&self) -> Result<Url, LinksError> {
        let mut websocket = self.door("/h5live/authstream")?;
        let scheme = match self.page.scheme() {
            "https" => "wss",
            _ => "ws",
        };
        websocket.set_scheme(scheme).map_err(|()| LinksError)?;
        Ok(websocket)
    }

    /// `h5live.server.hls`
    ///
    /// # Errors
    /// [`LinksError`]
    pub fn playlist(&self) -> Result<Url, LinksError> {
        self.door("/h5live/authhttp/playlist.m3u8")
    }

    /// The seed's playback URL ("Verifying playbacks"); what is empty is left out.
    ///
    /// # Errors
    /// [`LinksError`]
    pub fn page(&self) -> Result<String, LinksError> {
        let websocket = self.websocket()?;
        let options = self.minted.options.to_string();
        let parameters = [
            ("h5live.server.websocket", websocket.as_str()),
            ("h5live.rtmp.url", self.rtmp_url),
            (
                "h5live.rtmp.streamname",
                self.stream.map_or("", StreamName::as_str),
            ),
            ("h5live.security.expires", &self.minted.expires),
            ("h5live.security.tag", &self.minted.tag),
            ("h5live.security.token", &self.minted.token),
            ("h5live.security.options", &options),
        ];
        let query: Vec<String> = parameters
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, ENCODED)))
            .collect();
        Ok(format!("{}?{}", self.page, query.join("&")))
    }

    fn door(&self, path: &str) -> Result<Url, LinksError> {
        self.page.join(path).map_err(|_| LinksError)
    }
}
