//! A processor's stdin and stdout, with a time limit.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A pipe that waits for the other side for a limited time, and then fails with the kind [`TimedOut`](io::ErrorKind::TimedOut).
#[derive(Debug)]
pub(crate) struct Patient<P> {
    pipe: P,
    patience: Timespec,
}

impl<P: AsFd> Patient<P> {
    fn new(pipe: P, patience: Duration) -> Self {
        let tv_sec = patience.as_secs().try_into().unwrap_or(i64::MAX);
        Self { pipe, patience: Timespec { tv_sec, tv_nsec: patience.subsec_nanos().into() } }
    }

    fn wait(&self, wanted: PollFlags) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.pipe, wanted)], Some(&self.patience)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The processor's stdout.
pub(crate) fn stdout(pipe: ChildStdout, patience: Duration) -> Patient<ChildStdout> {
    Patient::new(pipe, patience)
}

/// The processor's stdin.
pub(crate) fn stdin(pipe: ChildStdin, patience: Duration) -> io::Result<Patient<ChildStdin>> {
    // Otherwise a write that fills the pipe would block forever after `poll` returned.
    rustix::io::ioctl_fionbio(&pipe, true)?;
    Ok(Patient::new(pipe, patience))
}

impl Read for Patient<ChildStdout> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.wait(PollFlags::IN)?;
        self.pipe.read(to)
    }
}

impl Write for Patient<ChildStdin> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        loop {
            self.wait(PollFlags::OUT)?;
            match self.pipe.write(text) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
