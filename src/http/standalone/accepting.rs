//! The task that accepts, and word of when its socket is closed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

/// Owns the listener's socket.
pub(super) struct Accepting {
    // In this order, whether it was ever polled or not: who is told finds the port free.
    serving: Pin<Box<dyn Future<Output = Infallible> + Send>>,
    _open: mpsc::Sender<Infallible>,
}

/// Tells when the socket is closed. Nothing is ever sent: the channel ends with [`Accepting`].
pub(super) struct Closed(Mutex<mpsc::Receiver<Infallible>>);

impl Accepting {
    pub(super) fn new(
        serving: impl Future<Output = Infallible> + Send + 'static,
    ) -> (Self, Closed) {
        let (open, closed) = mpsc::channel();
        let accepting = Self {
            serving: Box::pin(serving),
            _open: open,
        };
        (accepting, Closed(Mutex::new(closed)))
    }
}

impl Future for Accepting {
    type Output = Infallible;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Infallible> {
        self.serving.as_mut().poll(context)
    }
}

impl Closed {
    /// Returns when it is closed, and in any case after that long.
    pub(super) fn wait(&mut self, most: Duration) {
        let ended = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(most);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::sync::Arc;
    use std::task::Waker;

    /// Stands for the socket: notes whether somebody had been told that it is closed before it was.
    struct Socket(Arc<Mutex<Option<Closed>>>, mpsc::Sender<bool>);

    impl Drop for Socket {
        fn drop(&mut self) {
            let closed = self.0.lock().unwrap().take().unwrap();
            let told = closed.0.lock().unwrap().try_recv();
            let _ = self.1.send(told == Err(mpsc::TryRecvError::Disconnected));
        }
    }

    fn told_too_early(polled: bool) -> bool {
        let place = Arc::<Mutex<Option<Closed>>>::default();
        let (tell, heard) = mpsc::channel();
        let socket = Socket(Arc::clone(&place), tell);
        let (mut accepting, closed) = Accepting::new(async move {
            let _socket = socket;
            std::future::pending().await
        });
        *place.lock().unwrap() = Some(closed);
        if polled {
            let mut context = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut accepting).poll(&mut context).is_pending());
        }
        drop(accepting);
        heard.recv().unwrap()
    }

    #[test]
    fn the_socket_is_closed_before_anybody_is_told() {
        assert!(!told_too_early(true));
        assert!(!told_too_early(false), "aborted before it ran");
    }
}
