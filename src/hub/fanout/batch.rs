//! Many sends in one system call, by io_uring: what a fan-out thread writes to all who keep up.
//!
//! No send waits: one that would block says so at once and is left to the poller. So every send of a
//! batch is over when [`Batch::send`] returns, nothing of it is held anywhere, and a session can't tell
//! which engine serves it. `docs/performance.md` says what it saves.
// The kernel reads the bytes while the call lasts, and the compiler can't be told that they live so long.
#![allow(unsafe_code)]

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, RawFd};

use bytes::Bytes;
use io_uring::{IoUring, Probe, opcode, types};
use rustix::net::SendFlags;

/// Sends of one system call.
const SENDS: u32 = 64;

/// One thread's ring. Whoever makes it must be the one who uses it.
pub(super) struct Batch {
    // None once it has failed.
    ring: Option<IoUring>,
    sends: Vec<Send>,
}

struct Send {
    key: usize,
    socket: RawFd,
    bytes: Bytes,
    result: Option<i32>,
}

impl Batch {
    /// Fails where the kernel has no io_uring, or forbids it.
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .build(SENDS)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Send::CODE) {
            return Err(ErrorKind::Unsupported.into());
        }
        Ok(Self {
            ring: Some(ring),
            sends: Vec::with_capacity(SENDS as usize),
        })
    }

    /// Adds a send; `socket` must stay open until [`Batch::send`] has told what came of it.
    pub fn push(&mut self, key: usize, socket: &impl AsRawFd, bytes: Bytes) {
        self.sends.push(Send {
            key,
            socket: socket.as_raw_fd(),
            bytes,
            result: None,
        });
    }

    /// Whether it must be sent before more is added.
    pub fn is_full(&self) -> bool {
        self.sends.len() >= SENDS as usize
    }

    /// Whether the kernel still takes batches. What was in the one that failed has failed with it.
    pub fn works(&self) -> bool {
        self.ring.is_some()
    }

    /// Sends all that was added, and tells of each how many bytes were taken.
    pub fn send(&mut self, mut each: impl FnMut(usize, Bytes, io::Result<usize>)) {
        if let Some(ring) = &mut self.ring
            && let Err(error) = submit(ring, &mut self.sends)
        {
            tracing::warn!(%error, "io_uring has failed; this thread goes on without");
            // Before the bytes go: nothing that was left in it is sent any more.
            self.ring = None;
        }
        for send in self.sends.drain(..) {
            let result = match send.result {
                Some(taken @ 0..) => Ok(taken.unsigned_abs() as usize),
                Some(error) => Err(io::Error::from_raw_os_error(-error)),
                None => Err(ErrorKind::BrokenPipe.into()),
            };
            each(send.key, send.bytes, result);
        }
    }
}

/// Fails where the kernel takes or tells no more; then sends without a result are in doubt.
fn submit(ring: &mut IoUring, sends: &mut [Send]) -> io::Result<()> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    for (index, send) in sends.iter().enumerate() {
        // What is longer than that is taken in part, as a socket does it anyway.
        let length = u32::try_from(send.bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(types::Fd(send.socket), send.bytes.as_ptr(), length)
            .flags(flags)
            .build()
            .user_data(index as u64);
        // SAFETY: the bytes are in `sends`, whose owner lets go of them only after this function has seen
        // their completion, or after the ring is closed.
        unsafe { ring.submission().push(&entry) }.map_err(io::Error::other)?;
    }
    let mut left = sends.len();
    while left > 0 {
        match ring.submit_and_wait(left) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            submitted => {
                submitted?;
            }
        }
        for completion in ring.completion() {
            let send = usize::try_from(completion.user_data())
                .ok()
                .and_then(|index| sends.get_mut(index));
            if let Some(send) = send {
                send.result = Some(completion.result());
                left -= 1;
            }
        }
    }
    Ok(())
}
