//! Stands for [`batch`](super) where there is no io_uring: there is never one of these.

use std::convert::Infallible;
use std::io::{self, ErrorKind};

use bytes::Bytes;

pub(super) struct Batch(Infallible);

impl Batch {
    pub fn new() -> io::Result<Self> {
        Err(ErrorKind::Unsupported.into())
    }

    pub fn push<T>(&mut self, _: usize, _: &T, _: Bytes) {
        match self.0 {}
    }

    pub fn is_full(&self) -> bool {
        match self.0 {}
    }

    pub fn works(&self) -> bool {
        match self.0 {}
    }

    pub fn send(&mut self, _: impl FnMut(usize, Bytes, io::Result<usize>)) {
        match self.0 {}
    }
}
