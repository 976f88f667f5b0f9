// A processor whose types and handlers come from the caller of a macro.

use kcl::{Checkpointer, Record, Shard};

macro_rules! processor {
    ($ty:ty { $($item:item)* } returns $result:ty) => {
        #[kcl::processor]
        impl $ty {
            #[on_records]
            fn add(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> $result {
                self.seen(records.len());
                Ok(checkpointer.checkpoint()?)
            }

            $($item)*
        }
    };
}

#[derive(Default)]
struct Count {
    records: usize,
}

impl Count {
    fn seen(&mut self, records: usize) {
        self.records += records;
    }
}

processor! {
    Count {
        #[on_lease_lost]
        fn lost(&mut self, shard: &Shard) {
            eprintln!("{} {}", shard.id(), self.records);
        }
    }
    returns Result<(), kcl::BoxError>
}
