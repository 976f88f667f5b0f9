// A processor with lifetimes, and a generated `main`.

use std::borrow::Cow;

use kcl::{Record, Shard};

struct Named<'a> {
    name: Cow<'a, str>,
}

#[kcl::processor]
impl<'a> Named<'a> {
    #[on_init]
    fn open(shard: &Shard) -> Self {
        Named { name: Cow::Owned(shard.id().to_owned()) }
    }

    #[on_record]
    fn print(&mut self, record: &Record, shard: &Shard) {
        eprintln!("{} {record:?} {}", self.name, shard.id());
    }
}
