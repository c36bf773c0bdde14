//! `h5live-server`.
fn main() {}
