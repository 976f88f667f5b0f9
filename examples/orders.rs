//! Writes orders in JSON, one per line: `orders [COUNT [SEED]]`. The same arguments give the same orders.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

const CUSTOMERS: [&str; 12] =
    ["alice", "bob", "charlie", "dana", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj"];

/// A `SplitMix64` generator: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn write_orders(count: u64, seed: u64, to: impl Write) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    let mut random = Random(seed);
    for id in 1..=count {
        let customer = CUSTOMERS[random.below(CUSTOMERS.len() as u64) as usize];
        // Most orders are small; one in twenty is larger.
        let cents = 99 + random.below(10_000) + if random.below(20) == 0 { random.below(250_000) } else { 0 };
        writeln!(to, r#"{{"id":{id},"customer":"{customer}","cents":{cents}}}"#)?;
    }
    to.flush()
}

fn main() -> ExitCode {
    let arguments: Result<Vec<u64>, _> = std::env::args().skip(1).map(|argument| argument.parse()).collect();
    let (count, seed) = match arguments.as_deref() {
        Ok([]) => (400, 1),
        Ok([count]) => (*count, 1),
        Ok([count, seed]) => (*count, *seed),
        _ => {
            eprintln!("usage: orders [COUNT [SEED]], two numbers");
            return ExitCode::from(2);
        }
    };
    match write_orders(count, seed, io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orders: {error}");
            ExitCode::FAILURE
        }
    }
}
