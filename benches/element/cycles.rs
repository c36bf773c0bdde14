//! How long the element takes to open its own doors and play, and to be back at NULL with its port closed.

use std::time::Instant;

use gstreamer as gst;
use gstreamer::prelude::*;
use h5live::element::H5LiveAuthSink;

const CYCLES: usize = 100;

/// Milliseconds of each start and of each stop, sorted.
pub fn measure() -> [Vec<f64>; 2] {
    let element = H5LiveAuthSink::new();
    element.set_property("stream-name", "ABCDE-bench");
    element.set_property("secret", "the secret of the bench");
    element.set_property("port", 0u32);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..CYCLES {
        for (state, times) in [gst::State::Playing, gst::State::Null]
            .into_iter()
            .zip(&mut times)
        {
            let began = Instant::now();
            element.set_state(state).unwrap();
            times.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    for list in &mut times {
        list.sort_by(f64::total_cmp);
    }
    times
}
