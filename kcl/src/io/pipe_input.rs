//! The real stdin, read without spinning on the lock of a pipe.
//!
//! A program that writes much at once, as `cargo kcl local` does, holds the pipe's lock from the first byte until the pipe is
//! full. On Linux, a read that finds the lock held spins rather than sleeps. That costs as much CPU time as the copy itself.
//! A read that has emptied the pipe is therefore followed by a wait for the end of the write. The wait is short, so that it
//! changes nothing but costs.

use std::io::{self, Read};
use std::mem;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::mem::MaybeUninit;

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::event::{Timespec, epoll};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::fd::OwnedFd;

use crate::io::stdio::RealEnd;

/// The least that a read returns if the daemon writes much at once.
const MUCH: usize = 1 << 16;

/// The longest wait.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LONGEST: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// The real stdin.
#[derive(Debug)]
pub(crate) struct PipeInput {
    end: RealEnd,
    edges: Option<Edges>,
    /// Whether the last read has emptied a pipe that was full, and is being filled again.
    is_emptied: bool,
}

impl PipeInput {
    pub(crate) fn new(end: RealEnd) -> Self {
        Self { edges: Edges::of(&end), end, is_emptied: false }
    }
}

impl Read for PipeInput {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if let (true, Some(edges)) = (mem::take(&mut self.is_emptied), &self.edges) {
            edges.wait();
        }
        let read = self.end.read(to)?;
        self.is_emptied = (MUCH..to.len()).contains(&read);
        Ok(read)
    }
}

/// Reports that something was written to a pipe: at the end of a write, and whenever the pipe is full.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
struct Edges(OwnedFd);

/// Other systems do not report that.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
enum Edges {}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Edges {
    /// `None` if the input is not a pipe, or if the process has too many descriptors.
    fn of(input: &RealEnd) -> Option<Self> {
        rustix::pipe::fcntl_getpipe_size(input).ok()?;
        let edges = epoll::create(epoll::CreateFlags::CLOEXEC).ok()?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&edges, input, epoll::EventData::new_u64(0), flags).ok()?;
        Some(Self(edges))
    }

    fn wait(&self) {
        let mut events = [MaybeUninit::<epoll::Event>::uninit()];
        // Whatever happened, the input is read next.
        _ = epoll::wait(&self.0, &mut events, Some(&LONGEST));
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Edges {
    fn of(_: &RealEnd) -> Option<Self> {
        None
    }

    fn wait(&self) {
        match *self {}
    }
}
