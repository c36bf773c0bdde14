//! What the benches share.

pub mod figures;
pub mod machine;
