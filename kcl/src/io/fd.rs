//! Reads, writes and waits on file descriptors that may be non-blocking.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;

/// Retries after an interruption, and after a wait if a non-blocking descriptor is not ready.
pub(crate) fn retry_until_ready<T>(
    fd: impl AsFd,
    ready: PollFlags,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    loop {
        match attempt() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => _ = poll(&mut [PollFd::new(&fd, ready)], None),
            result => return result,
        }
    }
}

/// Writes the bytes, and stops at the first error: there is no other place to report it.
pub(crate) fn write_all(to: impl AsFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match retry_until_ready(&to, PollFlags::OUT, || rustix::io::write(&to, bytes)) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) => return,
        }
    }
}
