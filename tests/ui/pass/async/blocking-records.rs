// Only the constructor is `async`.

use kcl::{Checkpointer, Json, Record};

#[derive(serde::Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    customer: std::borrow::Cow<'a, str>,
}

struct Names {
    names: Vec<String>,
}

#[kcl::processor]
impl Names {
    #[on_init]
    async fn open() -> Self {
        Names { names: Vec::new() }
    }

    #[on_record(retry = 1, on_failure = skip)]
    fn add(&mut self, Json(order): Json<Order<'_>>, record: &Record, checkpointer: &mut Checkpointer) {
        self.names.push(order.customer.into_owned());
        _ = checkpointer.checkpoint_at(record);
    }

    #[on_tick(every = "5s")]
    fn flush(&mut self, _: &mut Checkpointer) {
        self.names.clear();
    }

    #[on_shard_end]
    fn finish(&mut self, _: &mut Checkpointer) {}
}
