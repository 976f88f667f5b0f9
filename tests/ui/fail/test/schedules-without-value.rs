// `schedules` without a value.

use kcl::testing::Daemon;

#[kcl::test(schedules)]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
