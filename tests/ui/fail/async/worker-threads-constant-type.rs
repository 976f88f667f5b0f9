// A number of worker threads in a constant of another type.

use kcl::Record;

const THREADS: u32 = 4;

#[derive(Default)]
struct Bytes {
    bytes: usize,
}

#[kcl::processor(runtime = multi_thread, worker_threads = THREADS)]
impl Bytes {
    #[on_record]
    async fn add(&mut self, record: &Record) {
        self.bytes += record.data().len();
    }
}
