//! kcl's own lines on stderr.

use std::fmt::Display;
use std::panic::catch_unwind;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stderr;

use crate::excerpt::Paragraph;
use crate::io::inner_pipe::Relay;

/// The destination of kcl's own lines while a processor runs.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// The stderr that the process prints to.
    Printed,
    /// The process's real stderr, which was moved aside.
    Direct(Arc<Relay>),
    /// A function of the caller.
    #[cfg(any(test, feature = "testing"))]
    Callback(Callback),
}

/// A function that takes lines.
#[cfg(any(test, feature = "testing"))]
#[derive(Clone)]
pub(crate) struct Callback(Arc<dyn Fn(&str) + Send + Sync>);

#[cfg(any(test, feature = "testing"))]
impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Callback").finish_non_exhaustive()
    }
}

impl Report {
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn callback(take: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self::Callback(Callback(Arc::new(take)))
    }

    /// Writes a line.
    pub(crate) fn line(&self, text: impl Display) {
        self.lines(text, &[]);
    }

    /// Writes a line for programs, without kcl's name. It is one line whose characters are harmless.
    #[cfg(feature = "metrics")]
    pub(crate) fn raw(&self, line: &str) {
        match self {
            Self::Printed => print(line),
            Self::Direct(relay) => relay.line(line),
            #[cfg(any(test, feature = "testing"))]
            Self::Callback(Callback(take)) => take(line),
        }
    }

    /// Writes a line, and lines below it that belong to it.
    pub(crate) fn lines(&self, text: impl Display, below: &[String]) {
        let text = Paragraph(text, below);
        match self {
            Self::Printed => print(&format!("kcl: {text}")),
            Self::Direct(relay) => relay.line(&format!("kcl: {text}")),
            #[cfg(any(test, feature = "testing"))]
            Self::Callback(Callback(take)) => take(&text.to_string()),
        }
    }
}

/// Prints a line where tests can capture it. A broken stderr is not a failure, so its panic has no effect.
fn print(text: &str) {
    let stderr = stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    // Checked beforehand where possible, because not every program unwinds.
    let broken = poll(&mut ready, Some(&Timespec::default())).is_ok() && ready[0].revents().contains(PollFlags::ERR);
    if !broken {
        _ = catch_unwind(|| eprintln!("{text}"));
    }
}
