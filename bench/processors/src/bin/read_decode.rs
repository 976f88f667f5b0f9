//! The floor with base64: reads everything, and decodes the data of each record. It knows where the data is, checks nothing, and
//! leaves everything else alone.

use std::io;

use base64::engine::{Engine as _, GeneralPurposeConfig, Simd};
use memchr::{memchr, memmem};
use processors::Tally;

/// The start of a record.
const START: &[u8] = br#"{"data":""#;

fn main() -> io::Result<()> {
    let engine = Simd::standard(GeneralPurposeConfig::new());
    let start = memmem::Finder::new(START);
    let (mut tally, mut decoded, mut rest) = (Tally::default(), Vec::new(), Vec::new());
    // The data of the records in a text. Returns the length of what was used.
    let mut decode = |text: &[u8]| {
        let mut used = 0;
        while let Some(found) = start.find(&text[used..]) {
            let data = used + found + START.len();
            let Some(length) = memchr(b'"', &text[data..]) else { return used + found };
            decoded.resize(length, 0);
            let size = engine.decode_slice(&text[data..data + length], &mut decoded).unwrap_or(0);
            tally.add(&decoded[..size]);
            used = data + length;
        }
        text.len().saturating_sub(START.len()).max(used)
    };
    processors::read_all(|arrived| {
        // A record may have begun in the last read, and ends before the next one begins.
        let next = if rest.is_empty() { 0 } else { start.find(arrived).unwrap_or(arrived.len()) };
        if next > 0 {
            rest.extend_from_slice(&arrived[..next]);
            let used = decode(&rest);
            rest.drain(..used);
        }
        if next < arrived.len() {
            rest.clear();
            let used = decode(&arrived[next..]);
            rest.extend_from_slice(&arrived[next + used..]);
        }
        Ok(())
    })?;
    tally.report();
    Ok(())
}
