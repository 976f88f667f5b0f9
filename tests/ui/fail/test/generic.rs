// A test that is generic.

use kcl::testing::Daemon;

#[kcl::test]
fn orders_are_stored<T>(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
