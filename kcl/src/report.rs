//! kcl's own words to the person who reads stderr.

use std::fmt::{self, Display};
use std::panic::catch_unwind;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::stdio::stderr;

use crate::stdio::{WayOut, patiently};

/// Where kcl's own lines go while a processor runs.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// Wherever the process prints.
    Printed,
    /// To the process's real stderr, which was moved aside.
    Direct(Arc<WayOut>),
    /// To whoever asked for them.
    Handed(Hand),
}

/// Takes lines.
#[derive(Clone)]
pub(crate) struct Hand(pub(crate) Arc<dyn Fn(&str) + Send + Sync>);

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hand").finish_non_exhaustive()
    }
}

impl Report {
    /// Writes a line.
    pub(crate) fn line(&self, text: impl Display) {
        match self {
            Self::Printed => print(&text.to_string()),
            Self::Direct(way) => way.line(text),
            Self::Handed(Hand(take)) => take(&text.to_string()),
        }
    }
}

/// Prints a line where tests can capture it. A broken stderr is nobody's failure, so nothing comes of its panic.
fn print(text: &str) {
    let stderr = stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    // Found out beforehand where it can be, as not every program unwinds.
    let broken = poll(&mut ready, Some(&Timespec::default())).is_ok() && ready[0].revents().contains(PollFlags::ERR);
    if !broken {
        _ = catch_unwind(|| eprintln!("kcl: {text}"));
    }
}

/// Writes a line, in one piece. If nobody reads it there is nobody to tell.
pub(crate) fn write_line(to: impl AsFd, text: impl Display) {
    write_all(to, format!("kcl: {text}\n").as_bytes());
}

/// Writes as much as can be written.
pub(crate) fn write_all(to: impl AsFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match patiently(&to, PollFlags::OUT, || rustix::io::write(&to, bytes)) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) => return,
        }
    }
}
