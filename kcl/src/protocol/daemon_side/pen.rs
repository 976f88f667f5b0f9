//! Appends bytes and JSON text to memory.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A place in a slice that has room for everything that is written. Otherwise it panics.
pub(super) struct Pen<'a> {
    to: &'a mut [u8],
    at: usize,
}

impl<'a> Pen<'a> {
    #[inline]
    pub(super) fn new(to: &'a mut [u8]) -> Self {
        Self { to, at: 0 }
    }

    /// The number of bytes written so far.
    #[inline]
    pub(super) fn written(&self) -> usize {
        self.at
    }

    /// Calls `write` with the free room, and appends the bytes that it wrote. `write` returns their number.
    #[inline]
    pub(super) fn put_with(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        self.at += write(&mut self.to[self.at..]);
    }

    /// Appends these bytes. An array is assigned in a few instructions. `copy_from_slice` may be a call instead, because in Rust 1.95
    /// its inner function is not `#[inline]`.
    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, bytes: &[u8; N]) {
        match self.to[self.at..].first_chunk_mut() {
            Some(room) => *room = *bytes,
            None => unreachable!("there is room for the record"),
        }
        self.at += N;
    }

    #[inline]
    pub(super) fn put_slice(&mut self, bytes: &[u8]) {
        self.to[self.at..][..bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Appends a text as the content of a JSON string.
    #[inline]
    pub(super) fn put_escaped(&mut self, text: &str) {
        let has_to_be_escaped = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        if !text.as_bytes().iter().any(has_to_be_escaped) {
            return self.put_slice(text.as_bytes());
        }
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.put(&[b'\\', byte]),
                b'\x08' => self.put(br"\b"),
                b'\x0c' => self.put(br"\f"),
                b'\n' => self.put(br"\n"),
                b'\r' => self.put(br"\r"),
                b'\t' => self.put(br"\t"),
                ..0x20 => {
                    self.put(br"\u00");
                    self.put(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
                _ => self.put(&[byte]),
            }
        }
    }
}
