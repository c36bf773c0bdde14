//! What the benches share.

#[allow(dead_code)]
pub mod chart;
#[allow(dead_code)]
pub mod drain;
pub mod figures;
pub mod machine;
