//! What the benches share.

#[allow(dead_code)]
pub mod chart;
pub mod figures;
pub mod machine;
