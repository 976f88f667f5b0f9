// A generic processor with `async` handlers, and one whose `main` is generated beside a `where` clause.

use std::fmt::Debug;
use std::rc::Rc;

use kcl::{Json, Record};

trait Store: Default {
    async fn store(&self, record: &Record);
}

#[derive(Default)]
struct Keep<S, T> {
    store: Rc<S>,
    last: Option<T>,
}

#[kcl::processor(main = false)]
impl<S, T> Keep<S, T>
where
    S: Store,
    T: for<'de> serde::Deserialize<'de> + Default + Debug,
{
    #[on_record(on_undecodable = skip)]
    async fn keep(&mut self, record: &Record, Json(value): Json<T>) {
        self.store.store(record).await;
        self.last = Some(value);
    }
}

#[derive(Default)]
struct Print;

#[kcl::processor]
impl Print
where
    String: Debug,
{
    #[on_record]
    async fn print(&mut self, record: &Record) {
        eprintln!("{record:?}");
    }
}

#[derive(Default)]
struct Nowhere;

impl Store for Nowhere {
    async fn store(&self, _: &Record) {}
}

fn _is_a_processor<P: kcl::AsyncInitialize>() {}

const _: fn() = _is_a_processor::<Keep<Nowhere, u64>>;
