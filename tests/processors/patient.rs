//! A processor for the tests that fails at every record and waits long before each retry.

#[derive(Default)]
struct Patient;

#[kcl::processor(warn_after = "20ms")]
impl Patient {
    #[on_record(retry = 1000, backoff = "1h..1h", on_failure = skip)]
    fn handle(&mut self, _: &kcl::Record) -> Result<(), &'static str> {
        Err("as ever")
    }
}
