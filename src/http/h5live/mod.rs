//! `/h5live/authstream`: the WebSocket door (protocol sections 1 to 5).

pub mod door;
pub mod messages;
pub mod session;
