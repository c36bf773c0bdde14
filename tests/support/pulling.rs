//! Hub and supervisor as the server has them, with one origin.

#![allow(dead_code)] // each test uses a part of it

use std::sync::Arc;
use std::time::Duration;

use h5live::hub::{Hub, Limits, OriginName};
use h5live::origin::{OriginConfig, Origins, Settings, SourceElement, Supervisor};
use h5live::token::StreamName;

use crate::support::publisher::Options;
use crate::viewer::Viewer;

/// How long a pull goes on after its last viewer here.
pub const LINGER: Duration = Duration::from_secs(1);

/// Pulls until it is dropped.
pub struct Pulling {
    hub: Arc<Hub>,
    supervisor: Arc<Supervisor>,
    origin: OriginName,
}

impl Pulling {
    /// From the application `live` of that address, with the settings of the server but for
    /// [`LINGER`] and the source's `timeout`.
    pub fn start(url: &str, element: SourceElement, timeout: Duration) -> Self {
        let config = OriginConfig {
            element,
            timeout,
            ..OriginConfig::new("main", url)
        };
        let origins = Origins::new(&[config]).unwrap();
        let origin = origins.select(url).unwrap();
        let mut settings = Settings::default();
        settings.pace.linger = LINGER;
        // The source's timeout is what these tests are about, where it is longer.
        settings.silence = settings.silence.max(timeout * 2);
        let hub = Hub::new(Limits::default());
        let supervisor = Supervisor::new(origins, &hub, settings).unwrap();
        hub.set_demand(supervisor.clone());
        Self {
            hub,
            supervisor,
            origin,
        }
    }

    /// A new viewer of a stream, with a token for it.
    pub fn join(&self, stream: &str) -> Viewer {
        let stream = StreamName::parse(stream).unwrap();
        Viewer::join(&self.hub, &self.origin, &stream)
    }
}

impl Drop for Pulling {
    fn drop(&mut self) {
        self.supervisor.shutdown();
    }
}

/// 320x180, which costs little, with a keyframe each second and sound.
pub fn small() -> Options {
    Options {
        width: 320,
        height: 180,
        video_kbits: 300,
        ..Options::default()
    }
}
