// A test that is a static.

use kcl::testing::Daemon;

#[kcl::test]
static ORDERS_ARE_STORED: fn(Daemon) = |_| {};

fn main() {}
