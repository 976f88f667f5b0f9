// No schedules.

use kcl::testing::Daemon;

#[kcl::test(schedules = 0)]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
