// A test that takes an `impl Trait`.

use kcl::testing::Daemon;

#[kcl::test]
fn orders_are_stored(daemon: impl Into<Daemon>) {
    let _ = daemon.into();
}

fn main() {}
