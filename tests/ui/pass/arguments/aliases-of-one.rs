// An alias for the record and for the payload.

use std::borrow::Cow;
use std::collections::HashMap;

use kcl::{Checkpoints, Json, Processor};

type One<'a> = &'a kcl::Record;
type Order<'a> = Json<HashMap<Cow<'a, str>, u64>>;

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
