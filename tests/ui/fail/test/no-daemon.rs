// A test that does not take the daemon.

use kcl::testing::Daemon;

#[kcl::test(schedules = 1000)]
fn orders_are_stored() {
    let _ = Daemon::new();
}

fn main() {}
