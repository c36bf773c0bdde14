//! A server with an origin, for players of HLS.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::origin::Origin;
use super::publisher::{self, Publisher};
use super::server::{Options, Security, Server};

/// What is published.
pub const STREAM: &str = "ABCDE-demo";

/// The two of them.
pub struct Site {
    /// The server.
    pub server: Server,
    /// Its origin.
    pub origin: Origin,
}

impl Site {
    /// Starts both and registers the stream.
    pub fn start() -> Site {
        let origin = Origin::start();
        let server = Server::start(&Options::with_origin(&origin.url("live")));
        server.register(STREAM, "the secret of these segments");
        Site { server, origin }
    }

    /// A publisher of the stream.
    pub fn publish(&self) -> Publisher {
        Publisher::start(&self.origin, STREAM, &publisher::Options::default())
    }

    /// A token for the stream, bound to what `wish` says besides.
    pub fn mint(&self, wish: &Value) -> Security {
        let mut wish = wish.clone();
        wish["streamname"] = json!(STREAM);
        self.server.mint(&wish)
    }

    /// The playlist's URL, as a player makes it.
    pub fn playlist_url(&self, token: &Security) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs([
            ("url", self.origin.url("live").as_str()),
            ("stream", STREAM),
            ("cid", "527243"),
            ("pid", "62389951444"),
        ]);
        query.extend_pairs(token.pairs());
        let base = self.server.base();
        format!("{base}/h5live/authhttp/playlist.m3u8?{}", query.finish())
    }
}
