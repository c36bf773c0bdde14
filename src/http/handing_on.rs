//! Writes to a plain socket, and hands on what is in a memory file instead of copying it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

use crate::hub::memory_file::Stretch;

/// As [`AsyncWrite::poll_write_vectored`]; takes the slices up to the first in a memory file, or that one.
pub(super) fn poll_write(
    tcp: &mut TcpStream,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let mut found = slices.iter().enumerate();
    let found = found.find_map(|(index, slice)| Some((index, Stretch::of(slice)?)));
    let written = match &found {
        None => return Pin::new(tcp).poll_write_vectored(cx, slices),
        Some((0, stretch)) => ready!(poll_io(tcp, cx, || stretch.hand_on(&*tcp))),
        Some((index, _)) => ready!(poll_io(tcp, cx, || write_before_more(
            tcp,
            &slices[..*index]
        ))),
    };
    match written {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Pin::new(tcp).poll_write_vectored(cx, slices)
        }
        written => Poll::Ready(written),
    }
}

/// The head of an answer: the kernel keeps it for the packet with what follows.
fn write_before_more(tcp: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::MORE | SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let sent = sendmsg(tcp, slices, &mut SendAncillaryBuffer::default(), flags)?;
    Ok(sent)
}

fn poll_io(
    tcp: &TcpStream,
    cx: &mut Context<'_>,
    mut write: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(tcp.poll_write_ready(cx))?;
        match tcp.try_io(Interest::WRITABLE, &mut write) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            written => return Poll::Ready(written),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::poll_fn;

    use bytes::Bytes;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::hub::memory_file;

    #[tokio::test]
    async fn what_is_in_a_memory_file_goes_by_itself_and_in_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut reader = TcpStream::connect(address).await.unwrap();
        let (mut writer, _) = listener.accept().await.unwrap();
        let file = memory_file::gather(&[Bytes::from(vec![7; 50_000])]).unwrap();
        let slices = [&b"head"[..], &file, &b"tail"[..]].map(IoSlice::new);
        let mut taken = Vec::new();
        for rest in [&slices[..], &slices[1..], &slices[2..]] {
            taken.push(
                poll_fn(|cx| poll_write(&mut writer, cx, rest))
                    .await
                    .unwrap(),
            );
        }
        assert_eq!(taken, [4, 50_000, 4]);
        let mut read = vec![0; 50_008];
        reader.read_exact(&mut read).await.unwrap();
        assert!(read == [&b"head"[..], &file, &b"tail"[..]].concat());
    }
}
