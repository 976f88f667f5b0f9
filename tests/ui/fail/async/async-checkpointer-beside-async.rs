// An asynchronous checkpointer in the one blocking handler.

use kcl::{AsyncCheckpointer, Record};

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record, _: &mut AsyncCheckpointer) {
        self.bytes += record.data().len();
    }

    #[on_shutdown_requested]
    fn stop(&self, _: &mut AsyncCheckpointer) {
        eprintln!("{} bytes", self.bytes);
    }
}
