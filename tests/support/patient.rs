//! A connection whose reads and writes outlast signals.

#![allow(dead_code)] // each test uses a part of it

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A socket with a time limit. What a signal interrupts there is not taken up again by the kernel
/// (signal(7)), and neither by [`Read::read`] nor by tungstenite.
#[derive(Debug)]
pub struct Patient(pub TcpStream);

impl Patient {
    /// Connects; a read may take so long.
    pub fn connect(address: impl ToSocketAddrs, limit: Duration) -> io::Result<Self> {
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(limit))?;
        Ok(Self(tcp))
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retried(|| self.0.read(buffer))
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        retried(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn retried(mut attempt: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
