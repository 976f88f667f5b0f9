// A misspelt option of a test.

use kcl::testing::Daemon;

#[kcl::test(schedule = 1000)]
fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
