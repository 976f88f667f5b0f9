// On a struct instead of a function.

use kcl::testing::Daemon;

#[kcl::test]
struct Orders(Daemon);

fn main() {}
