//! What `#[kcl::processor]` calls: the arguments a handler may take, and its result.
