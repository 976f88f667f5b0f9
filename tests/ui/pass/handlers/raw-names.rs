// Names that need `r#`.

#[derive(Default)]
struct r#Count {
    r#type: usize,
}

#[kcl::processor]
impl r#Count {
    #[r#on_record]
    fn r#match(&mut self, r#in: &kcl::Record) {
        let _ = r#in;
        self.r#type += 1;
    }
}
