// A handler attribute on a function.

#[kcl::on_record]
fn count(record: &kcl::Record) {
    eprintln!("{record:?}");
}

fn main() {}
