//! A borrowed reader and writer for a connection that must own its ends.
//!
//! A [`Checkpointer`](crate::Checkpointer) has no lifetime parameter, so that handlers can name it in aliases and
//! signatures without one. It therefore owns its connection. To run on a borrowed reader and writer, a scoped thread
//! serves them.

use std::io::{self, Read, Write};
use std::sync::{Arc, PoisonError};
#[cfg(any(feature = "tokio", all(test, loom)))]
use std::task::Context;
use std::task::{Poll, Waker};
use std::thread;

use crate::sync::mpsc::{Receiver, Sender, channel};
use crate::sync::{Condvar, Mutex, MutexGuard};

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
    while let Ok((request, ticket)) = inbox.recv() {
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
        let mut content = self.lock();
        loop {
            if let Some(response) = content.response.take() {
                return response;
            }
            content = self.filled.wait(content).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the task wait for the response.
    #[cfg(any(feature = "tokio", all(test, loom)))]
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
    #[cfg(any(feature = "tokio", all(test, loom)))]
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

/// Models of the channel between the thread that serves the ends and whoever waits for it.
#[cfg(all(test, loom))]
mod models {
    use std::future::poll_fn;

    use loom::future::block_on;

    use super::*;
    use crate::sync;
    use crate::sync::thread::spawn;

    /// A read, and the end after it.
    const INPUT: &[u8] = b"ab";

    /// The number of times that a thread is interrupted.
    const INTERRUPTIONS: usize = 3;

    /// Uses two ends that a thread of the model serves. The thread must end after them.
    fn model(borrow: impl Fn(Lent, Lent) + Send + Sync + 'static) {
        sync::model(INTERRUPTIONS, move || {
            let (lent, other, inbox) = ends();
            let server = spawn(move || serve(INPUT, io::sink(), inbox));
            borrow(lent, other);
            server.join().expect("it ends");
        });
    }

    fn read_to_end(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Vec<u8> {
        let (mut all, mut to) = (Vec::new(), [0; 8]);
        loop {
            match read(&mut to).expect("it is served") {
                0 => return all,
                count => all.extend_from_slice(&to[..count]),
            }
        }
    }

    /// Polls as a task that is not woken.
    fn poll_once(lent: &mut Lent, to: &mut [u8]) -> Poll<io::Result<usize>> {
        lent.poll_read(&mut Context::from_waker(Waker::noop()), to)
    }

    #[test]
    fn a_thread_gets_every_byte() {
        model(|mut lent, mut other| {
            assert_eq!(read_to_end(|to| lent.read(to)), INPUT);
            other.write_all(b"reply").expect("it is served");
        });
    }

    #[test]
    fn a_task_gets_every_byte() {
        model(|mut lent, _| {
            assert_eq!(read_to_end(|to| block_on(poll_fn(|cx| lent.poll_read(cx, to)))), INPUT);
        });
    }

    #[test]
    fn a_read_that_nobody_waits_for_any_more_is_the_next_one() {
        model(|mut lent, _| {
            let mut to = [0; 8];
            let mut all = match poll_once(&mut lent, &mut to) {
                Poll::Ready(read) => to[..read.expect("it is served")].to_vec(),
                Poll::Pending => Vec::new(),
            };
            all.extend(read_to_end(|to| lent.read(to)));
            assert_eq!(all, INPUT);
        });
    }

    #[test]
    fn an_end_may_be_dropped_while_it_is_read() {
        model(|mut lent, _| _ = poll_once(&mut lent, &mut [0; 8]));
    }

    #[test]
    fn a_request_fails_if_nobody_serves_it() {
        sync::model(INTERRUPTIONS, || {
            let (mut lent, other, inbox) = ends();
            let server = spawn(move || drop((inbox.recv(), inbox)));
            for _ in 0..2 {
                let error = lent.read(&mut [0; 8]).expect_err("nobody serves it");
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            }
            drop((lent, other));
            server.join().expect("it ends");
        });
    }

    /// Waits for an input that does not come, until it is stopped.
    struct Waiting(Arc<(Mutex<bool>, Condvar)>);

    impl Read for Waiting {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            let mut is_stopped = self.0.0.lock().expect("no panic");
            while !*is_stopped {
                is_stopped = self.0.1.wait(is_stopped).expect("no panic");
            }
            Ok(0)
        }
    }

    #[test]
    fn a_thread_that_waits_for_input_can_be_stopped() {
        sync::model(INTERRUPTIONS, || {
            let stop = Arc::new((Mutex::new(false), Condvar::new()));
            let (mut lent, other, inbox) = ends();
            let reader = Waiting(Arc::clone(&stop));
            let server = spawn(move || serve(reader, io::sink(), inbox));
            assert!(poll_once(&mut lent, &mut [0; 8]).is_pending());
            drop((lent, other));
            *stop.0.lock().expect("no panic") = true;
            stop.1.notify_one();
            server.join().expect("it ends");
        });
    }
}
