//! Writes to stdout on a thread of its own, so that a reader of stdout that stops reading, or ends, cannot keep the tool from ending.

use std::io::{self, ErrorKind};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::threads;
use crate::waiting;

/// Stdout.
#[derive(Debug)]
pub(crate) struct Output(Sender<Vec<u8>>);

/// The end of stdout.
#[derive(Debug)]
pub(crate) struct End(Receiver<io::Result<()>>);

/// Starts the threads.
///
/// # Errors
///
/// If a thread cannot be started.
pub(crate) fn start() -> io::Result<(Output, End)> {
    let (texts, mut to_write) = channel(1);
    let (end, ended) = channel(2);
    let closed = end.clone();
    threads::spawn(move || _ = end.blocking_send(write(&mut to_write)))?;
    // The reader of a pipe may leave while there is nothing to write.
    threads::spawn(move || {
        if wait_until_closed().is_ok() {
            _ = closed.blocking_send(Ok(()));
        }
    })?;
    Ok((Output(texts), End(ended)))
}

impl Output {
    /// Passes a text on when the one before it is written. Returns false if nothing more can be written.
    pub(crate) async fn write(&self, text: Vec<u8>) -> bool {
        self.0.send(text).await.is_ok()
    }
}

impl End {
    /// Waits until the reader of stdout has left, or the last text is written after the output was dropped.
    ///
    /// # Errors
    ///
    /// If a text could not be written.
    pub(crate) async fn wait(&mut self) -> io::Result<()> {
        self.0.recv().await.unwrap_or(Ok(()))
    }
}

/// Writes all texts. A reader that has left is not an error.
fn write(texts: &mut Receiver<Vec<u8>>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    while let Some(text) = texts.blocking_recv() {
        match waiting::write_all(&mut stdout, &text) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}

/// Waits until the reader of stdout has closed it. The wait has no end if stdout is a file or a terminal.
fn wait_until_closed() -> io::Result<()> {
    let stdout = io::stdout();
    loop {
        let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
        match poll(&mut polled, None) {
            Ok(_) if polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => return Ok(()),
            // It is not a descriptor that can be waited for.
            Ok(_) => return Err(ErrorKind::Unsupported.into()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
