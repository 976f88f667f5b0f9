// On a module.

#[kcl::processor]
mod orders {
    pub struct Revenue;
}
