// On `main`.

#[kcl::processor]
fn main() {
    eprintln!("ready");
}
