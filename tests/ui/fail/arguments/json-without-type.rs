// `Json` without the type of its content.

use kcl::Json;

#[derive(Default)]
struct Revenue {
    cents: u64,
}

#[kcl::processor]
impl Revenue {
    #[on_record]
    fn add(&mut self, order: Json) {
        self.cents += 1;
    }
}
