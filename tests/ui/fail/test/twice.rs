// A test that is one already.

#[kcl::test]
#[test]
fn orders_are_stored(daemon: kcl::testing::Daemon) {
    let _ = daemon;
}

fn main() {}
