//! One viewer's hold on a stream as a file: its init segment, then fragments from the last keyframe on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::bell::Bell;
use super::stream::Kind;
use super::subscription::{Step, Subscription};
use super::topic::Wake;

/// The file ends where its media can't go on in it: at a stop, because what comes after has a timeline
/// of its own, and at another init segment, because players of files (ffmpeg and with it Chromium) pass
/// over a second `moov` and would decode with the first. Dropping it unsubscribes.
pub struct Fragments {
    subscription: Subscription,
    bell: Arc<Bell>,
    listener: Arc<dyn Wake>,
    file: File,
}

#[derive(Default)]
struct File {
    init: Option<Bytes>,
    over: bool,
}

impl Fragments {
    pub(super) fn new(subscription: Subscription) -> Self {
        let bell = Arc::<Bell>::default();
        let listener = Arc::clone(&bell) as Arc<dyn Wake>;
        subscription.topic().listen(Arc::clone(&listener));
        Self {
            subscription,
            bell,
            listener,
            file: File::default(),
        }
    }

    /// What wakes the task that polls.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Appends what comes next, about `budget` bytes at most, once there is something. False: the file
    /// has ended.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        budget: usize,
        out: &mut VecDeque<Bytes>,
    ) -> Poll<bool> {
        loop {
            if self.file.over {
                return Poll::Ready(false);
            }
            let before = out.len();
            let file = &mut self.file;
            self.subscription.walk(budget, |step| file.take(&step, out));
            if out.len() > before {
                return Poll::Ready(true);
            }
            if !self.file.over {
                ready!(self.bell.poll(cx));
            }
        }
    }
}

impl File {
    fn take(&mut self, step: &Step<'_>, out: &mut VecDeque<Bytes>) -> usize {
        let bytes = match step {
            _ if self.over => return 0,
            Step::Start(start, _) if self.init.is_none() => {
                self.init = Some(start.init.bytes.clone());
                start.init.bytes.clone()
            }
            Step::Entry(entry) => match entry.kind {
                Kind::Fragment(piece) => piece.bytes(&entry.wire),
                Kind::Metadata => return 0,
                Kind::Init(_) | Kind::Stopped => return self.end(),
            },
            Step::Start(..) | Step::Stopped => return self.end(),
        };
        let length = bytes.len();
        out.push_back(bytes);
        length
    }

    fn end(&mut self) -> usize {
        self.over = true;
        0
    }
}

impl Drop for Fragments {
    fn drop(&mut self) {
        self.subscription.topic().leave(&self.listener);
    }
}
