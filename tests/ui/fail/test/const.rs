// A test that is a `const fn`.

use kcl::testing::Daemon;

#[kcl::test]
const fn orders_are_stored(daemon: Daemon) {
    drop(daemon);
}

fn main() {}
