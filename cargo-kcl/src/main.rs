//! `cargo kcl`: run and develop Kinesis record processors.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_kcl::run(std::env::args_os())
}
