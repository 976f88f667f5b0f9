// A test that takes more than the daemon.

use kcl::testing::Daemon;

#[kcl::test]
fn orders_are_stored(daemon: Daemon, seed: u64) {
    let _ = (daemon, seed);
}

fn main() {}
