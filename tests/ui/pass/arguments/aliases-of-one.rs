// An alias for the record and for the payload.

use kcl::{Checkpoints, Json, Processor};

type One<'a> = &'a kcl::Record;
type Order<'a> = Json<std::collections::HashMap<&'a str, u64>>;

#[derive(Default)]
struct Sum {
    cents: u64,
}

#[kcl::processor]
impl Sum {
    #[on_record]
    fn add(&mut self, one: One<'_>, Json(order): Order<'_>) {
        self.cents += order.get("cents").copied().unwrap_or(one.data().len() as u64);
    }
}

const _: () = assert!(matches!(Sum::CHECKPOINTS, Checkpoints::Batch));
