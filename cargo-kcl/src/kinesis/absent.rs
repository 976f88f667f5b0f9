//! What a build without the feature `aws` says.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::exit::WRONG_USE;
use crate::report::{self, quoted};

/// Says which command does what was asked for.
pub(crate) fn refuse(arguments: &[OsString]) -> ExitCode {
    let shown: String =
        arguments.iter().skip(1).map(|argument| format!(" {}", quoted(&argument.to_string_lossy()))).collect();
    report::line(format_args!(
        "this build of the tool, the quick one, leaves out what talks to AWS. In the clone run\n  \
         cargo run --release --package cargo-kcl --{shown}\n\
         or install the whole tool, once, which takes a few minutes\n  \
         cargo install --locked --path {}\n\
         and type, in the clone, where `cargo kcl` stays the quick one,\n  \
         cargo-kcl{shown}\n\
         and anywhere else\n  \
         cargo kcl{shown}",
        quoted(env!("CARGO_MANIFEST_DIR")),
    ));
    ExitCode::from(WRONG_USE)
}
