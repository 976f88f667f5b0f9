// A bound on a handler is misspelt.

use kcl::Record;

trait Audited {}

#[derive(Default)]
struct Revenue {
    bytes: usize,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, record: &Record)
    where
        Self: Auditd,
    {
        self.bytes += record.data().len();
    }
}
