// On the impl of a trait.

struct Revenue {
    cents: u64,
}

#[kcl::processor]
impl Default for Revenue {
    fn default() -> Self {
        Revenue { cents: 0 }
    }
}
