// A test of `tokio` as well.

use kcl::testing::Daemon;

#[kcl::test]
#[tokio::test]
async fn orders_are_stored(daemon: Daemon) {
    let _ = daemon;
}

fn main() {}
