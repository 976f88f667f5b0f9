//! A processor's stdout, read as a sequence of replies.

use std::io::{self, Read};

use kcl::protocol::{Reply, ReplyError};

use crate::report::excerpt;

/// The longest text that can still become a reply. Replies are short, so a longer text without a line feed is not one.
const LONGEST: usize = 1 << 20;

/// Reads replies line by line.
#[derive(Debug)]
pub(crate) struct Replies<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum NoReply {
    /// The stdout is closed.
    Closed,
    /// A line that the daemon would not accept.
    Refused {
        line: String,
        why: ReplyError,
    },
    /// Text without a line feed that cannot become a reply.
    Unfinished {
        text: String,
    },
    Io(io::Error),
}

impl<R: Read> Replies<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; 8 << 10], start: 0, end: 0 }
    }

    /// The next reply. Blank lines before it are skipped, as the daemon skips them.
    pub(crate) fn next(&mut self) -> Result<Reply, NoReply> {
        loop {
            match self.next_line() {
                Err(NoReply::Refused { why: ReplyError::Blank, .. }) => {}
                reply => return reply,
            }
        }
    }

    /// The next line as a reply. A blank line is [`NoReply::Refused`] with [`ReplyError::Blank`].
    pub(crate) fn next_line(&mut self) -> Result<Reply, NoReply> {
        let mut searched = 0;
        let length = loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(found) = memchr::memchr(b'\n', &unread[searched..]) {
                break searched + found;
            }
            searched = unread.len();
            // No line feed can turn this into a reply, so do not wait for one.
            if unread.trim_ascii_start().first().is_some_and(|&first| first != b'{') || unread.len() > LONGEST {
                return Err(NoReply::Unfinished { text: excerpt(unread) });
            }
            if self.fill().map_err(NoReply::Io)? == 0 {
                let unread = &self.buffer[self.start..self.end];
                return Err(match unread {
                    [] => NoReply::Closed,
                    text => NoReply::Unfinished { text: excerpt(text) },
                });
            }
        };
        let line = &self.buffer[self.start..self.start + length];
        self.start += length + 1;
        Reply::from_line(line).map_err(|why| NoReply::Refused { line: excerpt(line), why })
    }

    /// The reader, to read on after the last reply.
    pub(crate) fn into_reader(self) -> R {
        self.reader
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_do_not_depend_on_how_they_arrive() {
        let text = b"{\"action\":\"status\",\"responseFor\":\"initialize\"}\r\n {\"action\":\"checkpoint\"}\n";
        struct Bytes<'a>(&'a [u8]);
        impl Read for Bytes<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                self.0.read(&mut to[..1])
            }
        }
        let mut replies = Replies::new(Bytes(text));
        assert_eq!(replies.next().unwrap(), Reply::status("initialize"));
        assert!(matches!(
            replies.next().unwrap(),
            Reply::Checkpoint { sequence_number: None, sub_sequence_number: None }
        ));
        assert!(matches!(replies.next(), Err(NoReply::Closed)));
    }

    #[test]
    fn blank_lines_are_skipped() {
        let text = b"\n\r\n \t\n{\"action\":\"status\",\"responseFor\":\"initialize\"} \n\nhello\n\n";
        let mut replies = Replies::new(&text[..]);
        assert_eq!(replies.next().unwrap(), Reply::status("initialize"));
        assert!(
            matches!(replies.next(), Err(NoReply::Refused { why: ReplyError::NotJson(_), line }) if line == "hello")
        );
        assert!(matches!(replies.next(), Err(NoReply::Closed)));

        let mut replies = Replies::new(&text[..]);
        for _ in 0..3 {
            assert!(matches!(replies.next_line(), Err(NoReply::Refused { why: ReplyError::Blank, .. })));
        }
        assert_eq!(replies.next_line().unwrap(), Reply::status("initialize"));
    }

    #[test]
    fn text_without_a_line_feed_is_not_waited_for() {
        struct Silent;
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("this would wait forever")
            }
        }
        let mut replies = Replies::new(b" hello ".chain(Silent));
        assert!(matches!(replies.next(), Err(NoReply::Unfinished { text }) if text == " hello "));

        let mut replies = Replies::new(&b"{\"action\":\"status\""[..]);
        assert!(matches!(replies.next(), Err(NoReply::Unfinished { .. })));
    }
}
