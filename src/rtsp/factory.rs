//! Makes a stream's media for GStreamer's RTSP server: one, whatever URL a viewer came by.

use std::sync::{Mutex, PoisonError};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::subclass::prelude::*;
use gstreamer as gst;
use gstreamer_rtsp_server as gst_rtsp_server;

glib::wrapper! {
    /// Gives its elements away once: its media is prepared once, and kept by whoever had it made.
    pub struct Factory(ObjectSubclass<imp::Factory>)
        @extends gst_rtsp_server::RTSPMediaFactory;
}

impl Factory {
    pub fn new(elements: gst::Bin, clock: gst::Clock) -> Self {
        let factory: Self = glib::Object::new();
        factory.set_shared(true);
        let by = gst_rtsp_server::gst_rtsp::RTSPLowerTrans::UDP
            | gst_rtsp_server::gst_rtsp::RTSPLowerTrans::TCP;
        factory.set_protocols(by);
        let mut parts = factory
            .imp()
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *parts = Some((elements, clock));
        drop(parts);
        factory
    }
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Factory(pub Mutex<Option<(gst::Bin, gst::Clock)>>);

    #[glib::object_subclass]
    impl ObjectSubclass for Factory {
        const NAME: &'static str = "H5LiveRtspFactory";
        type Type = super::Factory;
        type ParentType = gst_rtsp_server::RTSPMediaFactory;
    }

    impl ObjectImpl for Factory {}

    impl RTSPMediaFactoryImpl for Factory {
        /// By the URL it would be, port and all.
        fn gen_key(&self, _: &gst_rtsp_server::gst_rtsp::RTSPUrl) -> Option<glib::GString> {
            Some("one".into())
        }

        fn create_element(&self, _: &gst_rtsp_server::gst_rtsp::RTSPUrl) -> Option<gst::Element> {
            let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            parts
                .as_ref()
                .map(|(elements, _)| elements.clone().upcast())
        }

        /// Its time is the clock's own, so that what comes from the hub can be given its time before the
        /// pipeline runs, and is still right after it stood still.
        fn create_pipeline(&self, media: &gst_rtsp_server::RTSPMedia) -> Option<gst::Pipeline> {
            let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (_, clock) = parts.take()?;
            let pipeline = gst::Pipeline::new();
            pipeline.use_clock(Some(&clock));
            pipeline.set_start_time(gst::ClockTime::NONE);
            pipeline.set_base_time(gst::ClockTime::ZERO);
            media.take_pipeline(&pipeline);
            Some(pipeline)
        }
    }
}
