// Names that need `r#`, and others that have it.

#[derive(Default)]
struct r#Count {
    r#type: usize,
}

mod r#mod {
    pub const TRIES: u32 = 3;
}

#[r#kcl::r#processor(r#checkpoint = batch)]
impl r#Count {
    #[r#on_record(r#retry = r#mod::TRIES)]
    fn r#match(&mut self, r#in: &kcl::Record) {
        let _ = r#in;
        self.r#type += 1;
    }

    #[r#kcl::r#on_shard_end]
    fn r#loop(&self) {}
}
