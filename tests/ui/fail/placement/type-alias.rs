// On a type alias.

struct Sum<T>(T);

#[kcl::processor]
type Revenue = Sum<u64>;
