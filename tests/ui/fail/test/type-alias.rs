// A test that is a type alias.

use kcl::testing::Daemon;

#[kcl::test]
type OrdersAreStored = fn(Daemon);

fn main() {}
