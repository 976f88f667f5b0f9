//! kcl's own words to the person who reads stderr.

use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;

use rustix::fd::OwnedFd;

/// Where kcl's own lines go.
#[derive(Debug)]
pub(crate) struct Report {
    /// The process's real stderr, where that was moved aside.
    real: Option<Arc<OwnedFd>>,
}

impl Report {
    pub(crate) fn to_stderr() -> Self {
        Self { real: None }
    }

    pub(crate) fn to_real_stderr(real: Arc<OwnedFd>) -> Self {
        Self { real: Some(real) }
    }

    /// Writes a line, in one piece. If nobody reads it there is nobody to tell.
    pub(crate) fn line(&self, text: impl Display) {
        let line = format!("kcl: {text}\n");
        match &self.real {
            Some(real) => write_all(real, line.as_bytes()),
            None => _ = std::io::stderr().write_all(line.as_bytes()),
        }
    }
}

/// Writes as much as can be written.
pub(crate) fn write_all(to: &OwnedFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
