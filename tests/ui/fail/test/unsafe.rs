// A test that is `unsafe`.

use kcl::testing::Daemon;

#[kcl::test]
unsafe fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
