// A test that is a method.

use kcl::testing::Daemon;

struct Orders;

impl Orders {
    #[kcl::test]
    fn are_stored(&self, daemon: Daemon) {
        let _ = daemon;
    }
}

fn main() {}
