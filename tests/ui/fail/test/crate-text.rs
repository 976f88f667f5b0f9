// `crate` of a test in quotes.

use kcl::testing::Daemon;

#[kcl::test(crate = "kcl")]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
