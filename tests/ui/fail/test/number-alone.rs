// A number of schedules without the name of the option.

use kcl::testing::Daemon;

#[kcl::test(1000)]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
