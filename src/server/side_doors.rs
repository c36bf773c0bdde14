//! What runs beside the doors: the way from HTTP to HTTPS, the metrics, and an eye on the certificate.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::ServeError;
use super::metrics::Metrics;
use crate::config::{Config, Transport};
use crate::http::tls::{Tls, TlsFiles};
use crate::http::{listener, redirect, side_listener};

/// Connections at once to be redirected, and for metrics.
const REDIRECTED: usize = 1024;
const SCRAPERS: usize = 16;

/// The ports, bound; nothing is answered yet.
pub(super) struct SideDoors {
    redirect: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl SideDoors {
    /// Opens the ports, so that one that is taken is known before anything starts.
    pub fn bind(config: &Config) -> Result<Self, ServeError> {
        let bind = |address: Option<SocketAddr>, key| {
            let address = address?;
            let fail = move |error| ServeError::BindBeside {
                key,
                address,
                error,
            };
            Some(listener::bind(address).map_err(fail))
        };
        Ok(Self {
            redirect: bind(config.https.redirect, "tls.redirect").transpose()?,
            metrics: bind(config.metrics, "metrics.listen").transpose()?,
        })
    }

    /// Answers until the future is dropped; `port` is where HTTPS is spoken.
    pub async fn serve(
        self,
        config: &Config,
        tls: Option<&Tls>,
        port: u16,
        metrics: Metrics,
    ) -> Infallible {
        let bounds = |connections| side_listener::Limits {
            connections,
            patience: config.limits.handshake_timeout,
            head_bytes: config.limits.max_header_bytes,
        };
        let redirect = async {
            let Some((socket, tls)) = self.redirect.zip(tls) else {
                return std::future::pending().await;
            };
            if let Ok(address) = socket.local_addr() {
                tracing::info!("redirecting from http://{address}/");
            }
            let certificate = Arc::clone(&tls.certificate);
            side_listener::serve(socket, bounds(REDIRECTED), move |request| {
                redirect::answer(&certificate, port, request)
            })
            .await
        };
        let metrics = async {
            let Some(socket) = self.metrics else {
                return std::future::pending().await;
            };
            if let Ok(address) = socket.local_addr() {
                tracing::info!("metrics at http://{address}/metrics");
            }
            let answer = move |request: &_| metrics.answer(request);
            side_listener::serve(socket, bounds(SCRAPERS), answer).await
        };
        let certificate = async {
            match (tls, &config.transport) {
                (Some(tls), Transport::TlsFiles { certificate, key }) => {
                    let files = TlsFiles {
                        certificate: certificate.clone(),
                        key: key.clone(),
                    };
                    tls.certificate.follow(&files).await
                }
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            never = redirect => never,
            never = metrics => never,
            never = certificate => never,
        }
    }
}
