//! Reads and writes that wait for a descriptor that does not block, as the standard streams do if the parent process made them so.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Reads once.
pub(crate) fn read(from: &mut (impl Read + AsFd), to: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(to) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&*from, PollFlags::IN)?,
            read => return read,
        }
    }
}

/// Writes all of a text, and flushes it.
pub(crate) fn write_all(to: &mut (impl Write + AsFd), mut text: &[u8]) -> io::Result<()> {
    loop {
        let written = if text.is_empty() { to.flush().map(|()| 0) } else { to.write(text) };
        match written {
            Ok(_) if text.is_empty() => return Ok(()),
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => text = &text[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&*to, PollFlags::OUT)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn wait(fd: impl AsFd, wanted: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::new(&fd, wanted)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::thread;

    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        // More than a pipe holds.
        let text = vec![b'x'; 1 << 20];
        thread::scope(|scope| {
            scope.spawn(|| write_all(&mut writer, &text).unwrap());
            let (mut buffer, mut total) = (vec![0; 1 << 16], 0);
            while total < text.len() {
                total += read(&mut reader, &mut buffer).unwrap();
            }
            assert_eq!(total, text.len());
        });
    }
}
