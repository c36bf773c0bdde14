//! The element's properties as `gst-inspect-1.0` shows them.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::settings::narrow;
use crate::http::leases;
use crate::http::standalone::Options;

pub(super) const DEFAULT_ADDRESS: &str = "127.0.0.1";
pub(super) const DEFAULT_PORT: u16 = 8181;

/// In milliseconds: players give up after some seconds too.
pub(super) const DEFAULT_AUTHORIZE_TIMEOUT: u32 = 5000;
const LONGEST_AUTHORIZE_TIMEOUT: u32 = 60_000;

/// Milliseconds. Shorter parts are mostly requests; longer ones are segments.
const HLS_PARTS: (u32, u32) = (100, 2000);

/// A playlist lasts three target durations at least (RFC 8216bis, 6.2.2); a player behind needs some more.
const HLS_SEGMENTS: (u32, u32) = (6, 600);

/// What happens to a client whose token expires while it plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstH5LiveOnExpiry")]
pub enum OnExpiry {
    /// It plays on.
    #[default]
    #[enum_value(name = "It plays on: expiry counts when a client comes", nick = "keep")]
    Keep,
    /// It is closed.
    #[enum_value(name = "It is closed in that second", nick = "close")]
    Close,
}

impl From<OnExpiry> for leases::OnExpiry {
    fn from(on_expiry: OnExpiry) -> Self {
        match on_expiry {
            OnExpiry::Keep => Self::Keep,
            OnExpiry::Close => Self::Close,
        }
    }
}

/// All properties of the element.
pub(super) fn properties() -> &'static [glib::ParamSpec] {
    static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
        let text = |name, nick, blurb| {
            glib::ParamSpecString::builder(name)
                .nick(nick)
                .blurb(blurb)
                .mutable_ready()
        };
        let options = Options::default();
        let bound = |name, nick, blurb, default| {
            glib::ParamSpecUInt::builder(name)
                .nick(nick)
                .blurb(blurb)
                .minimum(1)
                .default_value(narrow(default))
                .mutable_ready()
                .build()
        };
        vec![
            text(
                "stream-name",
                "Stream name",
                "The stream that tokens are made for: an organisation hash, then \"-\" and letters, digits or \"_\", e.g. ABCDE-demo",
            )
            .build(),
            text(
                "secret",
                "Secret",
                "What tokens are made with, 16 to 256 bytes; reads as null. On a command line others can see it: use secret-file there",
            )
            .build(),
            text(
                "secret-file",
                "Secret file",
                "File that holds the secret, 16 to 256 bytes; a line end after it is not part of it",
            )
            .build(),
            text(
                "records",
                "Records",
                "Where h5live-server keeps its records, a file or a postgres:// URL: the secrets in them decide, in place of secret; reads as null. For a password use records-password-file, as others can see a command line",
            )
            .build(),
            text(
                "records-password-file",
                "Records password file",
                "File of mode 600 that holds the password of the PostgreSQL database in records",
            )
            .build(),
            text(
                "master-key-file",
                "Master key file",
                "File of mode 600 that holds the master key that the records are sealed with; without it the environment's H5LIVE_MASTER_KEY",
            )
            .build(),
            text("address", "Address", "IP address to listen on")
                .default_value(Some(DEFAULT_ADDRESS))
                .build(),
            glib::ParamSpecUInt::builder("port")
                .nick("Port")
                .blurb("TCP port to listen on; 0 takes a free one, see bound-port")
                .maximum(u32::from(u16::MAX))
                .default_value(u32::from(DEFAULT_PORT))
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("bound-port")
                .nick("Bound port")
                .blurb("TCP port that it listens on; 0 while it does not")
                .maximum(u32::from(u16::MAX))
                .read_only()
                .build(),
            text(
                "tls-certificate-file",
                "TLS certificate file",
                "PEM file with the certificate chain, leaf first; with tls-key-file it serves HTTPS only",
            )
            .build(),
            text(
                "tls-key-file",
                "TLS key file",
                "PEM file with the certificate's private key",
            )
            .build(),
            glib::ParamSpecBoolean::builder("plain-http")
                .nick("Plain HTTP")
                .blurb("Serve without TLS on an address that is not loopback")
                .mutable_ready()
                .build(),
            glib::ParamSpecBoolean::builder("open")
                .nick("Open")
                .blurb("Let everybody play without a token, at /h5live/stream and /h5live/http/; the secret may then be left out")
                .mutable_ready()
                .build(),
            glib::ParamSpecBoolean::builder("hls")
                .nick("HLS")
                .blurb("Serve HLS and LL-HLS too")
                .default_value(true)
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("hls-part-duration")
                .nick("HLS part duration")
                .blurb("Milliseconds that a part of an HLS segment lasts at most; it holds whole frames")
                .minimum(HLS_PARTS.0)
                .maximum(HLS_PARTS.1)
                .default_value(options.hls_part)
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("hls-window")
                .nick("HLS window")
                .blurb("Segments that an HLS playlist lists, as far as 64 MiB hold them")
                .minimum(HLS_SEGMENTS.0)
                .maximum(HLS_SEGMENTS.1)
                .default_value(narrow(options.hls_segments))
                .mutable_ready()
                .build(),
            glib::ParamSpecEnum::builder_with_default("on-expiry", OnExpiry::Keep)
                .nick("On expiry")
                .blurb("What happens to a client whose token expires while it plays")
                .mutable_ready()
                .build(),
            bound(
                "max-clients",
                "Maximum of clients",
                "Clients at once, over all elements at the same address and port",
                options.viewers,
            ),
            bound(
                "client-backlog",
                "Client backlog",
                "Bytes that a client may be behind before it skips to a keyframe; a larger GOP raises it",
                options.lag_bytes,
            ),
            bound(
                "gop-cache",
                "GOP cache",
                "Bytes of the stream that are held at most; clients can't join a GOP that is larger",
                options.ring_bytes,
            ),
            text(
                "trusted-proxies",
                "Trusted proxies",
                "Proxies that may tell a client's address by X-Forwarded-For: addresses or ranges, with commas between; without it none may",
            )
            .build(),
            text(
                "page-origins",
                "Page origins",
                "Pages that may play, e.g. https://example.com, with commas between; without it all may",
            )
            .build(),
            glib::ParamSpecBoolean::builder("sync")
                .nick("Sync")
                .blurb("Publish each buffer at its time by the clock; without it at once, as is right for live sources")
                .mutable_playing()
                .build(),
            glib::ParamSpecInt64::builder("ts-offset")
                .nick("TS offset")
                .blurb("Nanoseconds that buffers are published later than their time, or sooner, with sync")
                .mutable_playing()
                .build(),
            glib::ParamSpecBoolean::builder("qos")
                .nick("QoS")
                .blurb("Tell upstream of buffers that come late, with sync")
                .mutable_playing()
                .build(),
            glib::ParamSpecUInt::builder("authorize-timeout")
                .nick("Authorize timeout")
                .blurb("Milliseconds that authorize-client may take to answer; a client without an answer is refused")
                .minimum(1)
                .maximum(LONGEST_AUTHORIZE_TIMEOUT)
                .default_value(DEFAULT_AUTHORIZE_TIMEOUT)
                .mutable_ready()
                .build(),
            glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb("Counts since it was started: video-frames, audio-frames, refused-frames, init-segments, fragments, bytes, keyframe-requests, clients-added, clients-removed, clients-denied, clients-dropped, events-missed; and clients, client-ids of this moment")
                .read_only()
                .build(),
        ]
    });
    PROPERTIES.as_ref()
}
