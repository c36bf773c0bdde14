//! How a load reads: what nobody looks at costs it no copy, and what is looked at goes to a page's begin.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};

/// More than a keyframe, so that a message is one read().
const SIZE: usize = 256 * 1024;
/// Where a buffer begins must be a page's begin: what is handed on as pages begins there too, and copies to 16 bytes
/// behind, where an allocator likes to put large buffers, take some AMD processors three times as long.
const PAGE: usize = 4096;

/// What sockets are read into.
pub struct Buffer(Vec<u8>);

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![0; SIZE + PAGE])
    }
}

impl Buffer {
    /// Its bytes, from a page's begin on.
    pub fn bytes(&mut self) -> &mut [u8] {
        let skipped = self.0.as_ptr().align_offset(PAGE);
        &mut self.0[skipped..][..SIZE]
    }
}

/// Lets a TCP socket acknowledge what it has when that is read, and so on the load's core. One that has answered its
/// peer, by a TLS handshake or a pong, waits with it for the next segment (tcp(7), TCP_QUICKACK), and on loopback that
/// comes on the core of whoever sends it: half an acknowledgement of each message would be counted as the server's.
/// Whatever is written to the socket takes it back.
pub fn acknowledge(socket: impl AsFd) {
    sockopt::set_tcp_quickack(socket, true).expect("a TCP socket");
}

/// Drops all that a TCP socket has, and returns how many bytes it were; [`Errno::PIPE`] at its end. `buffer` is not
/// written to.
pub fn drop_all(socket: impl AsFd, buffer: &mut [u8]) -> Result<u64, Errno> {
    let mut dropped = 0;
    loop {
        // With this flag TCP copies nothing and tells how much it has dropped (tcp(7)).
        let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
        match recv(&socket, &mut *buffer, flags) {
            Ok((_, 0)) => return Err(Errno::PIPE),
            Ok((_, length)) => {
                dropped += length as u64;
                // What comes after a short read makes a new event (epoll(7), question 9).
                if length < buffer.len() {
                    return Ok(dropped);
                }
            }
            Err(Errno::WOULDBLOCK) => return Ok(dropped),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
