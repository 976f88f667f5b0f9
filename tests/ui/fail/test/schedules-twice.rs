// `schedules` twice.

use kcl::testing::Daemon;

#[kcl::test(schedules = 10, schedules = 20)]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
