//! The answer of a build without the feature `aws`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::exit::WRONG_USE;
use crate::report::{self, quoted};

/// Prints the commands that run this verb, or install a tool that can.
pub(crate) fn refuse(arguments: &[OsString]) -> ExitCode {
    let shown: String =
        arguments.iter().skip(1).map(|argument| format!(" {}", quoted(&argument.to_string_lossy()))).collect();
    report::line(format_args!(
        "this is the quick build of the tool, without the AWS verbs. In the clone, run\n  \
         cargo run --release --package cargo-kcl --{shown}\n\
         or install the complete tool once, which takes a few minutes:\n  \
         cargo install --locked --path {}\n\
         After that, in the clone, where `cargo kcl` is still the quick build, run\n  \
         cargo-kcl{shown}\n\
         and anywhere else run\n  \
         cargo kcl{shown}",
        quoted(env!("CARGO_MANIFEST_DIR")),
    ));
    ExitCode::from(WRONG_USE)
}
