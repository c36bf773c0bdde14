//! Decoder configurations: what is read of them, and their names by RFC 6381.

pub(crate) mod aac;
pub(crate) mod av1;
pub(crate) mod avc;
mod bits;
pub(crate) mod hevc;
pub(crate) mod opus;

#[cfg(test)]
mod tests;
