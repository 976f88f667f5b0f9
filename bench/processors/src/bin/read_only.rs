//! The floor: reads everything and looks at nothing.

use std::io;

fn main() -> io::Result<()> {
    processors::read_all(|_| Ok(()))
}
