//! The body of an answer, up to a length that no answer of a service has. Otherwise, an endless one would fill the memory.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::report;

/// The longest answer that is read, in bytes. Kinesis delivers 10 MiB of records at most, which are 14 MB of base64.
const LONGEST: u64 = 64_000_000;

/// An answer is longer than any of the service.
#[derive(Debug, thiserror::Error)]
#[error("it has more than {}", report::bytes(LONGEST))]
pub(super) struct TooLong;

/// A body that fails if it is too long.
#[derive(Debug)]
pub(super) struct Bounded<B> {
    body: B,
    /// How many more bytes are read.
    left: u64,
}

impl<B> Bounded<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, left: LONGEST }
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        Poll::Ready(Some(match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Ok(frame)
            }
            None => Err(TooLong.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
