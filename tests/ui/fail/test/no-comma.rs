// Two options of a test without a comma.

use kcl::testing::Daemon;

#[kcl::test(schedules = 1000 crate = kcl)]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
