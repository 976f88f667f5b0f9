//! Helpers that the programs of this package share.

use std::io::{self, Read};

/// The proof that a processor received every record: the numbers that all peers report when the lease is lost.
#[derive(Debug, Default)]
pub struct Tally {
    records: u64,
    bytes: u64,
    sum: u64,
}

impl Tally {
    /// Counts a record. It looks at one byte of the data, so that the data must have been decoded.
    pub fn add(&mut self, data: &[u8]) {
        self.records += 1;
        self.bytes += data.len() as u64;
        self.sum += data.get(data.len() / 2).copied().map_or(0, u64::from);
    }

    /// Prints the line that the benchmark looks for.
    pub fn report(&self) {
        eprintln!("tally {} {} {}", self.records, self.bytes, self.sum);
    }
}

const CAPACITY: usize = 1 << 18;
/// The alignment of the buffer. Reading into other memory is up to five times as expensive on some CPUs.
const PAGE: usize = 4096;

/// Reads standard input to its end through a pipe and a buffer as large as those of `kcl`, and calls `each` with what every read returned.
///
/// # Errors
///
/// The error of a read.
pub fn read_all(mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    // Standard input may be a file.
    _ = rustix::pipe::fcntl_setpipe_size(io::stdin(), CAPACITY);
    let mut buffer = vec![0; CAPACITY + PAGE];
    let start = buffer.as_ptr().align_offset(PAGE);
    let buffer = &mut buffer[start..start + CAPACITY];
    let mut input = io::stdin().lock();
    loop {
        match input.read(buffer)? {
            0 => return Ok(()),
            read => each(&buffer[..read])?,
        }
    }
}
