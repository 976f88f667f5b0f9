// Generic processors with concurrency.

use kcl::{Json, Record};

#[derive(Default)]
struct Keep<T> {
    last: std::cell::RefCell<Option<T>>,
}

#[kcl::processor(main = false)]
impl<T: for<'de> serde::Deserialize<'de> + Default> Keep<T> {
    #[on_record(concurrency = 64, on_undecodable = skip)]
    async fn keep(&self, _: &Record, Json(value): Json<T>) {
        self.last.replace(Some(value));
    }
}

#[derive(Default)]
struct Print;

#[kcl::processor]
impl Print {
    #[on_record(concurrency = 64)]
    async fn print(&self, record: &Record) {
        eprintln!("{record:?}");
    }
}

fn _is_a_processor<P: kcl::AsyncInitialize>() {}

const _: fn() = _is_a_processor::<Keep<u64>>;
