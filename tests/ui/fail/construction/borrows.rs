// A constructor that keeps a borrow of the shard.

use kcl::Shard;

struct Named<'a> {
    name: &'a str,
}

#[kcl::processor]
impl Named<'_> {
    #[on_init]
    fn open<'a>(shard: &'a Shard) -> Named<'a> {
        Named { name: shard.id() }
    }

    #[on_record]
    fn print(&mut self) {
        eprintln!("{}", self.name);
    }
}
