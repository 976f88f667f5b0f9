// On a struct.

#[kcl::processor]
struct Revenue {
    cents: u64,
}
