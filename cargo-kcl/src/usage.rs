//! How clap's errors are shown: they quote arguments and variables of the environment, which may contain anything.

use std::error::Error as _;
use std::process::ExitCode;

use clap::Error;
use clap::error::ContextValue;

use crate::exit::WRONG_USE;
use crate::report::{self, Level, LogFormat, Message, escaped};

/// Prints a usage error, or the help that was asked for, and returns the exit code.
pub(crate) fn explain(mut error: Error) -> ExitCode {
    if !error.use_stderr() {
        _ = error.print();
        return ExitCode::SUCCESS;
    }
    let quoted: Vec<_> = error.context().map(|(kind, value)| (kind, on_one_line(value))).collect();
    for (kind, value) in quoted {
        if let Some(value) = value {
            error.insert(kind, value);
        }
    }
    let text = error.render().to_string();
    // The text of the value's own error is the only other part that is not clap's.
    let text = match error.source().map(ToString::to_string) {
        Some(cause) => text.replace(&cause, &escaped(&cause)),
        None => text,
    };
    let mut lines = text.lines();
    if report::format() == LogFormat::Json {
        let first = lines.next().unwrap_or_default();
        Message::result(Level::Error, first).with(lines.filter(|line| !line.is_empty())).print();
    } else {
        lines.for_each(|line| Message::result(Level::Error, line).print());
    }
    ExitCode::from(WRONG_USE)
}

/// The value with its control characters escaped, if it has any.
fn on_one_line(value: &ContextValue) -> Option<ContextValue> {
    let new = match value {
        ContextValue::String(text) => ContextValue::String(escaped(text).into_owned()),
        ContextValue::Strings(texts) => {
            ContextValue::Strings(texts.iter().map(|text| escaped(text).into_owned()).collect())
        }
        _ => return None,
    };
    (new != *value).then_some(new)
}
