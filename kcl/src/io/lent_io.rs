//! A borrowed reader and writer for a connection that must own its ends.
//!
//! A [`Checkpointer`](crate::Checkpointer) has no lifetime parameter, so that handlers can name it in aliases and
//! signatures without one. It therefore owns its connection. To run on a borrowed reader and writer, a scoped thread
//! serves them.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tokio")]
use std::task::Context;
use std::task::{Poll, Waker};
use std::thread;

/// The most bytes of one read.
const MOST: usize = 64 << 10;

pub(crate) enum Request {
    /// Reads at most this many bytes.
    Read(usize),
    Write(Vec<u8>),
    Flush,
}

type Response = io::Result<Vec<u8>>;

/// One end of the connection. The reader's end and the writer's end are never used at the same time.
pub(crate) struct Lent {
    requests: Sender<(Request, Ticket)>,
    place: Arc<Place>,
    /// A read was requested whose response was not taken yet.
    is_reading: bool,
    /// Bytes that were read, and did not fit.
    rest: Vec<u8>,
}

/// Requests to the thread that serves the ends.
pub(crate) type Inbox = Receiver<(Request, Ticket)>;

/// Calls `borrow` with two owned ends. They are served until it returns.
///
/// # Errors
///
/// If the thread that serves them cannot be started.
pub(crate) fn lend<T>(
    reader: impl Read + Send,
    writer: impl Write + Send,
    borrow: impl FnOnce(Lent, Lent) -> T,
) -> io::Result<T> {
    thread::scope(|scope| {
        let (lent, other, inbox) = ends();
        let thread = thread::Builder::new().name("kcl-io".to_owned());
        thread.spawn_scoped(scope, move || serve(reader, writer, inbox))?;
        Ok(borrow(lent, other))
    })
}

/// Two ends, and the requests that they make.
pub(crate) fn ends() -> (Lent, Lent, Inbox) {
    let (requests, inbox) = channel();
    (Lent::new(requests.clone()), Lent::new(requests), inbox)
}

/// Serves ends until they are dropped.
pub(crate) fn serve(mut reader: impl Read, mut writer: impl Write, inbox: Inbox) {
    for (request, ticket) in inbox {
        ticket.respond(match request {
            Request::Read(most) => {
                let mut bytes = vec![0; most];
                reader.read(&mut bytes).map(|read| {
                    bytes.truncate(read);
                    bytes
                })
            }
            Request::Write(bytes) => writer.write_all(&bytes).map(|()| bytes),
            Request::Flush => writer.flush().map(|()| Vec::new()),
        });
    }
}

/// A place for one response, for which a thread or a task waits.
#[derive(Default)]
struct Place {
    content: Mutex<Content>,
    filled: Condvar,
}

#[derive(Default)]
struct Content {
    response: Option<Response>,
    waker: Option<Waker>,
}

/// The duty to respond to a request. If it is dropped before, the response is that nobody serves the end.
pub(crate) struct Ticket(Option<Arc<Place>>);

impl Ticket {
    fn respond(mut self, response: Response) {
        if let Some(place) = self.0.take() {
            place.fill(response);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            place.fill(Err(io::ErrorKind::BrokenPipe.into()));
        }
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, response: Response) {
        let mut content = self.lock();
        content.response = Some(response);
        let waker = content.waker.take();
        drop(content);
        self.filled.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets the thread wait for the response.
    fn wait(&self) -> Response {
        let content = self.filled.wait_while(self.lock(), |content| content.response.is_none());
        content.unwrap_or_else(PoisonError::into_inner).response.take().unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Lets the task wait for the response.
    #[cfg(feature = "tokio")]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Response> {
        let mut content = self.lock();
        match content.response.take() {
            Some(response) => Poll::Ready(response),
            None => {
                content.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Lent {
    fn new(requests: Sender<(Request, Ticket)>) -> Self {
        Self { requests, place: Arc::default(), is_reading: false, rest: Vec::new() }
    }

    fn request(&self, request: Request) -> io::Result<()> {
        let ticket = Ticket(Some(Arc::clone(&self.place)));
        self.requests.send((request, ticket)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Reads. `wait` waits for the response.
    fn read_by(&mut self, to: &mut [u8], wait: impl FnOnce(&Place) -> Poll<Response>) -> Poll<io::Result<usize>> {
        if self.rest.is_empty() {
            if !self.is_reading {
                self.request(Request::Read(to.len().min(MOST)))?;
                self.is_reading = true;
            }
            let Poll::Ready(response) = wait(&self.place) else { return Poll::Pending };
            self.is_reading = false;
            self.rest = response?;
        }
        let taken = self.rest.len().min(to.len());
        to[..taken].copy_from_slice(&self.rest[..taken]);
        self.rest.drain(..taken);
        Poll::Ready(Ok(taken))
    }

    /// Reads while the task waits. Between two polls, the response to a read waits for the next one.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        self.read_by(to, |place| place.poll(cx))
    }
}

impl Read for Lent {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.read_by(to, |place| Poll::Ready(place.wait())) {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Lent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.request(Request::Write(bytes.to_vec()))?;
        self.place.wait().map(|bytes| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.request(Request::Flush)?;
        self.place.wait().map(drop)
    }
}
