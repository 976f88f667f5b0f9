// A handler attribute is on an associated type.

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    type Count = usize;
}
