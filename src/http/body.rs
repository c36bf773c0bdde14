//! Response bodies, and the headers that every answer carries.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// What every door answers with: bytes that are there already, in one piece or in several that are
/// shared with others, and where it is live more of them as they come.
#[derive(Default)]
pub struct Body {
    pieces: VecDeque<Bytes>,
    length: u64,
    live: Option<Box<dyn Live>>,
}

/// Where the pieces of a live body come from.
pub trait Live: Send + Sync {
    /// Appends the next pieces once there are some; false: there are no more. Called when all before
    /// are written out, so what it appends at once is what a slow client holds.
    fn poll_pieces(&mut self, cx: &mut Context<'_>, pieces: &mut VecDeque<Bytes>) -> Poll<bool>;
}

impl Body {
    /// Several pieces, one after the other.
    pub fn of(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: VecDeque<Bytes> = pieces.into_iter().collect();
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self {
            pieces,
            length,
            live: None,
        }
    }

    /// Pieces as they come, of a length that nobody knows.
    pub fn live(live: impl Live + 'static) -> Self {
        Self {
            live: Some(Box::new(live)),
            ..Self::default()
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::of([bytes.into()])
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self {
            pieces,
            length,
            live,
        } = &mut *self;
        if let Some(source) = live {
            if pieces.is_empty() && !ready!(source.poll_pieces(cx, pieces)) {
                // What it holds is free before the client has taken the last of it.
                *live = None;
            }
            return Poll::Ready(pieces.pop_front().map(|piece| Ok(Frame::data(piece))));
        }
        let piece = pieces.pop_front();
        *length -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.live.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.live {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(self.length),
        }
    }
}

/// A short plain text.
pub fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
