//! Sets a `cfg` for `ui.rs` if this is the toolchain that the recorded error texts come from.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    println!("cargo::rustc-check-cfg=cfg(toolchain_of_the_error_texts)");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    if version.starts_with(b"rustc 1.95.") {
        println!("cargo::rustc-cfg=toolchain_of_the_error_texts");
    }
}
