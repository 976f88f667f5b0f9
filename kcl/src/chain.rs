//! The text of an error with its causes: on one line, without repetitions, and bounded. And the backtrace that it may carry.

use std::borrow::Cow;
use std::env;
use std::error::Error;
use std::fmt;

use crate::excerpt::{OneLine, middle_cut};
use crate::panics::{causes, debug_text, text};
use crate::payload::UndecodablePayload;
use crate::redact::{quotations, whole};

/// The largest number of bytes of an error's text that are printed or kept. A decoder's message may quote the whole
/// payload, and a handler's error may contain anything.
pub const LONGEST_TEXT: usize = 4 << 10;

/// The largest number of bytes of a backtrace that are printed.
const LONGEST_BACKTRACE: usize = 64 << 10;

/// An error and its causes, on one line.
pub(crate) struct Chain<'a> {
    pub(crate) error: &'a (dyn Error + 'static),
    /// Whether the text may quote payloads.
    pub(crate) log_payloads: bool,
}

impl Chain<'_> {
    /// The text of one error of the chain.
    fn text_of(&self, error: &(dyn Error + 'static)) -> String {
        match error.downcast_ref::<UndecodablePayload>() {
            Some(undecodable) if !self.log_payloads => undecodable.without_excerpt().to_owned(),
            _ => text(error),
        }
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        let (mut hint, mut clause) = (None, None);
        for error in causes(self.error) {
            let text = self.text_of(error);
            hint = hint.or_else(|| borrowing_hint(&text)).or_else(|| nesting_hint(&text));
            clause = clause.or_else(|| error.downcast_ref::<UndecodablePayload>().and_then(|error| error.diagnosis));
            if !ends_with_words(&line, &text) {
                if !line.is_empty() {
                    line.push_str(": ");
                }
                line.push_str(&text);
            }
        }
        if !self.log_payloads {
            line = causes(self.error).fold(line, |line, error| whole(error, line));
        }
        Text { text: &line, log_payloads: self.log_payloads }.fmt(f)?;
        clause.map_or(Ok(()), |clause| write!(f, "; {clause}"))?;
        hint.map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

/// A text of user code: on one line, bounded, and without serde's quotations if payloads are not logged.
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) log_payloads: bool,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Cow<'_, str> = if self.log_payloads { self.text.into() } else { quotations(self.text).into() };
        f.write_str(&middle_cut(&OneLine(&text).to_string(), LONGEST_TEXT))
    }
}

/// Whether the line already ends with this text. Many errors write their cause's text at the end of their own.
fn ends_with_words(line: &str, text: &str) -> bool {
    line.strip_suffix(text).is_some_and(|before| text.is_empty() || !before.ends_with(char::is_alphanumeric))
}

/// The explanation of serde's error for a type that borrows a text which the data does not hold literally. Such a type
/// works until the first record with an escape, and serde's own words do not say why.
fn borrowing_hint(text: &str) -> Option<&'static str> {
    if text.contains("invalid type: string") && text.contains("expected a borrowed string") {
        Some(
            "a JSON string with an escape cannot be borrowed: instead of `&str`, write `Cow<'_, str>` with `#[serde(borrow)]`",
        )
    } else if text.contains("invalid type: ") && text.contains("expected a borrowed byte array") {
        Some(
            "a JSON string with an escape cannot be borrowed: instead of `&[u8]`, write `Cow<'_, [u8]>` with \
             `#[serde(borrow)]`",
        )
    } else {
        None
    }
}

/// The explanation of tokio's panic if code blocks on a future where a runtime already runs the thread, or blocks in place. tokio's message
/// does not name the function that blocked, and for `block_in_place` it asks for the multi-threaded runtime, which the processor may have.
pub(crate) fn nesting_hint(text: &str) -> Option<&'static str> {
    if text.contains("Cannot start a runtime from within a runtime") {
        Some(
            "a handler cannot block on a future while a runtime of tokio runs its thread: make the handler `async` (with the feature \
             `tokio` of kcl) and await the future; and if `main` starts a runtime around kcl, as `#[tokio::main]` does, remove that",
        )
    } else if text.contains("can call blocking only when running on the multi-threaded runtime") {
        Some(
            "a handler cannot call `block_in_place`, because it does not run on a thread of the runtime: `.await` futures directly, \
             and run blocking code with `tokio::task::spawn_blocking`",
        )
    } else {
        None
    }
}

/// The lines of the backtrace that an error of anyhow or eyre captured; none without one. They capture it if `RUST_LIB_BACKTRACE`, or else `RUST_BACKTRACE`, is set and not `0`.
///
/// [`Error::provide`] would give access to it, but is not stable. Their `Debug` texts end with it.
pub(crate) fn backtrace(error: &(dyn Error + 'static)) -> Vec<String> {
    let requested = env::var_os("RUST_LIB_BACKTRACE").or_else(|| env::var_os("RUST_BACKTRACE"));
    match requested {
        Some(value) if value != "0" => causes(error).find_map(backtrace_of).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn backtrace_of(error: &(dyn Error + 'static)) -> Option<Vec<String>> {
    let text = debug_text(error)?;
    let mut lines = text.lines().skip_while(|line| !is_heading(line)).peekable();
    lines.peek()?;
    let mut kept = Vec::new();
    let mut length = 0;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        length += line.len();
        if length > LONGEST_BACKTRACE {
            kept.push("…".to_owned());
            break;
        }
        kept.push(line.trim_end().to_owned());
    }
    Some(kept)
}

/// Whether a line is the heading of a backtrace: `Stack backtrace:` of anyhow and eyre, or `━━━ BACKTRACE ━━━` of color-eyre.
fn is_heading(line: &str) -> bool {
    let heading = line.trim_matches(|char: char| !char.is_ascii_alphabetic());
    heading.eq_ignore_ascii_case("stack backtrace") || heading.eq_ignore_ascii_case("backtrace")
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};

    use super::*;

    /// An error with a text and a cause.
    struct Layer(&'static str, Option<Box<dyn Error + 'static>>);

    impl Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Debug for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Error\n\nCaused by:\n    another\n\nStack backtrace:\n   0: main\u{1b}[0m\n             at ./main.rs:1\n")
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref()
        }
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let (first, rest) = texts.split_first().unwrap();
        Layer(first, (!rest.is_empty()).then(|| layers(rest).into()))
    }

    fn chain(error: &(dyn Error + 'static)) -> String {
        Chain { error, log_payloads: true }.to_string()
    }

    #[test]
    fn a_cause_that_stands_already_is_not_repeated() {
        assert_eq!(chain(&layers(&["a: b", "b", "c"])), "a: b: c");
        assert_eq!(chain(&layers(&["a: b: c", "b: c", "c"])), "a: b: c");
        assert_eq!(chain(&layers(&["a (b)", "b"])), "a (b): b");
        assert_eq!(chain(&layers(&["verb", "b"])), "verb: b");
        assert_eq!(chain(&layers(&["", "b", ""])), "b");
    }

    #[test]
    fn an_error_that_is_its_own_cause_ends() {
        #[derive(Debug)]
        struct Own;
        impl Display for Own {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("own")
            }
        }
        impl Error for Own {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(chain(&Own), "own");
    }

    #[test]
    fn a_long_text_is_cut_in_the_middle() {
        let long: &str = Box::leak(format!("begin{}end", "é\n".repeat(100_000)).into());
        let line = chain(&layers(&[long]));
        assert!(line.starts_with("begin") && line.ends_with("end") && line.len() <= LONGEST_TEXT, "{}", line.len());
        assert!(line.contains("bytes left out"), "{line}");
    }

    #[test]
    fn a_backtrace_is_found() {
        let lines = backtrace_of(&layers(&["a"])).unwrap();
        assert_eq!(lines, ["Stack backtrace:", "   0: main\u{1b}[0m", "             at ./main.rs:1"]);
        assert_eq!(backtrace_of(&fmt::Error), None);
    }
}
