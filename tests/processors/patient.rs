//! Fails at every record, and waits for long before it tries again.

#[derive(Default)]
struct Patient;

#[kcl::processor(warn_after = "20ms")]
impl Patient {
    #[on_record(retry = 1000, backoff = "1h..1h", otherwise = "skip")]
    fn handle(&mut self, _: &kcl::Record) -> Result<(), &'static str> {
        Err("as ever")
    }
}
