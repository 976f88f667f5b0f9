// Too many schedules.

use kcl::testing::Daemon;

#[kcl::test(schedules = 5_000_000_000)]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
