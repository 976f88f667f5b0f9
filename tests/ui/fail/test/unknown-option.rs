// An option that a test does not have.

use kcl::testing::Daemon;

#[kcl::test(cases = 1000)]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
