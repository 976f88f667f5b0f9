// On an enum.

#[kcl::processor]
enum Revenue {
    Unknown,
    Cents(u64),
}
