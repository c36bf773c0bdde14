//! The RTSP door's listener.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::ServeError;
use crate::config::{Config, Rtsp as Section};
use crate::http::app::App;
use crate::http::listener;
use crate::http::tls::Tls;
use crate::rtsp::{self, Front, Limits, Stop};

/// The port, bound; nothing is answered yet.
pub(super) struct RtspDoor {
    socket: Option<TcpListener>,
    stop: Arc<Stop>,
}

impl RtspDoor {
    /// Opens the port, so that one that is taken is known before anything starts.
    pub fn bind(config: &Config) -> Result<Self, ServeError> {
        let bind = |Section { listen, .. }: &Section| {
            listener::bind(*listen).map_err(|error| ServeError::BindBeside {
                key: "rtsp.listen",
                address: *listen,
                error,
            })
        };
        Ok(Self {
            socket: config.rtsp.as_ref().map(bind).transpose()?,
            stop: Arc::default(),
        })
    }

    /// What ends its viewers.
    pub fn stop(&self) -> Arc<Stop> {
        Arc::clone(&self.stop)
    }

    /// Answers until the future is dropped.
    pub async fn serve(self, config: &Config, tls: Option<&Tls>, app: Arc<App>) -> Infallible {
        let (Some(socket), Some(section)) = (self.socket, &config.rtsp) else {
            return std::future::pending().await;
        };
        let tls = tls.filter(|_| section.tls);
        if let Ok(address) = socket.local_addr() {
            let scheme = if tls.is_some() { "rtsps" } else { "rtsp" };
            tracing::info!("RTSP players are served at {scheme}://{address}/");
        }
        let front = Front {
            tls: tls.map(|tls| Arc::clone(&tls.config)),
            proxy_protocol: config.proxy_protocol,
        };
        let limits = Limits {
            connections: config.limits.max_requests,
            patience: config.limits.handshake_timeout,
            stall: config.limits.stall_timeout,
            head_bytes: config.limits.max_header_bytes,
            ..Limits::default()
        };
        match rtsp::serve(socket, front, app, limits, &self.stop).await {
            Ok(never) => never,
            Err(error) => {
                tracing::error!("no RTSP: GStreamer can't be used ({error})");
                std::future::pending().await
            }
        }
    }
}
