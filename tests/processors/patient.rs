//! A processor for the tests that fails at every record whose data is not `good`, after half a second if it is `slow`, and waits
//! long before each retry.

use std::thread;
use std::time::Duration;

#[derive(Default)]
struct Patient;

#[kcl::processor(warn_after = "20ms", checkpoint = "200ms")]
impl Patient {
    #[on_record(retry = 1000, backoff = "1h..1h", on_failure = skip)]
    fn handle(&mut self, record: &kcl::Record) -> Result<(), &'static str> {
        match record.data() {
            b"good" => return Ok(()),
            b"slow" => thread::sleep(Duration::from_millis(500)),
            _ => {}
        }
        Err("as ever")
    }
}
