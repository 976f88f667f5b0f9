// On a function.

use kcl::Record;

#[kcl::processor]
fn handle(records: &[Record]) {
    eprintln!("{}", records.len());
}
