//! The structure of JSON text: where its strings and its objects end. The text arrives in pieces, each byte is examined
//! once. Whether the text is JSON is not checked.

use memchr::memchr3;

/// A place in JSON text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nesting {
    /// The number of brackets and braces that are open.
    pub(super) depth: usize,
    pub(super) in_string: bool,
    /// The next byte belongs to an escape.
    escaped: bool,
}

impl Nesting {
    /// Within a string of an object.
    pub(super) const IN_STRING: Self = Self { depth: 1, in_string: true, escaped: false };

    /// The next byte that matters, at or after `from`: a quote that starts or ends a string, any of `{}[],:` outside of
    /// strings, or a line feed. This place is then the one after that byte.
    #[inline]
    pub(super) fn next(&mut self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        if self.in_string {
            loop {
                if self.escaped && at < text.len() {
                    self.escaped = false;
                    // A line feed ends the line even here.
                    at += usize::from(text[at] != b'\n');
                }
                at += memchr3(b'"', b'\\', b'\n', &text[at..])?;
                match text[at] {
                    b'\\' => (self.escaped, at) = (true, at + 1),
                    byte => {
                        self.in_string = byte != b'"';
                        return Some(at);
                    }
                }
            }
        }
        loop {
            match text.get(at)? {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' | b':' | b'\n' => {}
                _ => {
                    at += 1;
                    continue;
                }
            }
            return Some(at);
        }
    }
}
