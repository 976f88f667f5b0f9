// A number of worker threads in a constant of 0.

use kcl::Record;

const THREADS: usize = 0;

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
