// A test that is `async`.

use kcl::testing::Daemon;

#[kcl::test]
async fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
