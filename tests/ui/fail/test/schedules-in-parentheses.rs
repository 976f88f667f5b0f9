// A number of schedules in parentheses.

use kcl::testing::Daemon;

#[kcl::test(schedules(1000))]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
