// On a trait.

#[kcl::processor]
trait Handle {
    fn handle(&mut self);
}
