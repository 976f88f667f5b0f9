// A test that returns an `impl Trait`.

use kcl::testing::Daemon;

#[kcl::test]
fn orders_are_stored(daemon: Daemon) -> impl std::fmt::Debug {
    let _ = daemon;
}

fn main() {}
