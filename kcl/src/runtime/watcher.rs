//! The end of the daemon, as a task sees it while it waits for something else.

use std::task::{Context, Poll};

use rustix::event::PollFlags;
use rustix::io::ioctl_fionread;
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use crate::io::lines::Watcher;
use crate::io::stdio::RealEnd;
use crate::runtime::ends::{register, returned};
use crate::runtime::poll_unconstrained;

/// The flags of a descriptor whose other side is closed.
const CLOSED: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

/// Watches the other sides of the real stdin and stdout.
pub(super) struct EndWatcher {
    input: Watched,
    output: Watched,
    /// Nobody reads the output.
    is_unread: bool,
}

/// A descriptor of its own, because another task may be reading the input.
enum Watched {
    NotYet(RealEnd, Interest),
    /// It cannot be watched: it is a file, for example.
    Never,
    Registered(AsyncFd<RealEnd>),
}

impl EndWatcher {
    pub(super) fn new(input: &RealEnd, output: &RealEnd) -> Self {
        Self {
            input: Watched::NotYet(input.clone(), Interest::READABLE),
            output: Watched::NotYet(output.clone(), Interest::WRITABLE),
            is_unread: false,
        }
    }
}

impl Watcher for EndWatcher {
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(input) = self.input.registered() else { return Poll::Pending };
        match poll_closed(input, cx, |input, cx| input.poll_read_ready(cx)) {
            Poll::Ready(()) if ioctl_fionread(input.get_ref()) == Ok(0) => Poll::Ready(()),
            // Bytes that are left stay in the pipe, because nobody reads them while the task waits.
            _ => Poll::Pending,
        }
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_unread {
            // A file does not have another side that could be closed.
            let Some(output) = self.output.registered() else { return Poll::Pending };
            if poll_closed(output, cx, |output, cx| output.poll_write_ready(cx)).is_pending() {
                return Poll::Pending;
            }
            self.is_unread = true;
        }
        match self.input.registered() {
            Some(input) => poll_closed(input, cx, |input, cx| input.poll_read_ready(cx)),
            None => Poll::Ready(()),
        }
    }
}

impl Watched {
    /// Registers the descriptor at the runtime, if that was not done yet.
    fn registered(&mut self) -> Option<&AsyncFd<RealEnd>> {
        if let Self::NotYet(end, interest) = self {
            let registered = end.duplicate().and_then(|end| register(end, *interest));
            *self = registered.map_or(Self::Never, Self::Registered);
        }
        match self {
            Self::Registered(end) => Some(end),
            Self::NotYet(..) | Self::Never => None,
        }
    }
}

type Ready<'a> = Poll<std::io::Result<AsyncFdReadyGuard<'a, RealEnd>>>;

/// Waits until the other side of a descriptor is closed.
fn poll_closed<'a>(
    end: &'a AsyncFd<RealEnd>,
    cx: &mut Context<'_>,
    poll_ready: impl Fn(&'a AsyncFd<RealEnd>, &mut Context<'_>) -> Ready<'a>,
) -> Poll<()> {
    loop {
        // An error means that the runtime ends.
        let Poll::Ready(Ok(mut ready)) = poll_unconstrained(cx, |cx| poll_ready(end, cx)) else { return Poll::Pending };
        let state = ready.ready();
        if state.is_read_closed()
            || state.is_write_closed()
            || returned(end.get_ref(), PollFlags::empty()).intersects(CLOSED)
        {
            return Poll::Ready(());
        }
        ready.clear_ready();
    }
}
