//! A borrowed reader and writer for a connection that must own its ends.
//!
//! A [`Checkpointer`](crate::Checkpointer) has no lifetime parameter, so that handlers can name it in aliases and
//! signatures without one. It therefore owns its connection. To run on a borrowed reader and writer, a scoped thread
//! serves them.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

enum Request {
    /// Reads at most this many bytes.
    Read(usize),
    Write(Vec<u8>),
    Flush,
}

type Response = io::Result<Vec<u8>>;

/// One end of the connection. The reader's end and the writer's end are never used at the same time.
pub(crate) struct Lent {
    requests: Sender<(Request, Sender<Response>)>,
}

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
        let (requests, inbox) = channel();
        let thread = thread::Builder::new().name("kcl-io".to_owned());
        thread.spawn_scoped(scope, move || serve(reader, writer, inbox))?;
        Ok(borrow(Lent { requests: requests.clone() }, Lent { requests }))
    })
}

fn serve(mut reader: impl Read, mut writer: impl Write, inbox: Receiver<(Request, Sender<Response>)>) {
    for (request, respond) in inbox {
        let response = match request {
            Request::Read(most) => {
                let mut bytes = vec![0; most];
                reader.read(&mut bytes).map(|read| {
                    bytes.truncate(read);
                    bytes
                })
            }
            Request::Write(bytes) => writer.write_all(&bytes).map(|()| bytes),
            Request::Flush => writer.flush().map(|()| Vec::new()),
        };
        // Sending fails only if the run is over and nobody waits for the response.
        _ = respond.send(response);
    }
}

impl Lent {
    fn request(&self, request: Request) -> Response {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        let (respond, response) = channel();
        self.requests.send((request, respond)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        response.recv().map_err(gone)?
    }
}

impl Read for Lent {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = self.request(Request::Read(to.len().min(64 << 10)))?;
        to[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Lent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.request(Request::Write(bytes.to_vec())).map(|bytes| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.request(Request::Flush).map(drop)
    }
}
