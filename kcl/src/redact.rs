//! Texts without the payloads that serde quotes in them.
//!
//! serde's messages quote values (`invalid type: string "…"`) and names (``unknown field `…` ``) of the data. A handler's
//! error may contain such a message anywhere in its own text, so the search is by words.

use std::env;
use std::error::Error;
use std::io;
use std::ops::Range;

use serde_json::error::Category;

/// Whether the environment allows messages to quote payloads.
pub(crate) fn is_allowed() -> bool {
    env::var_os("KCL_LOG_PAYLOADS").is_none_or(|value| value != "0")
}

/// The words before a value that serde quotes. `Unexpected` in serde's module `de` writes the values.
const VALUES: [&str; 2] = ["invalid type: ", "invalid value: "];

/// The words before a value, and the delimiter on both sides of it.
const KINDS: [(&str, char); 5] =
    [("string ", '"'), ("character ", '`'), ("integer ", '`'), ("floating point ", '`'), ("boolean ", '`')];

/// The words before a name of the data.
const NAMES: [&str; 2] = ["unknown field `", "unknown variant `"];

/// The words that end a name: a name may contain a backquote.
const ENDS_OF_NAMES: [&str; 2] = ["`, expected ", "`, there are no "];

/// The other messages of serde. They name fields and types of the program only.
const HARMLESS: [&str; 3] = ["missing field `", "duplicate field `", "invalid length "];

/// Replaces the whole message of an error of `serde_json` if it is in the words of another program, which may have quoted
/// anything.
pub(crate) fn whole(error: &(dyn Error + 'static), text: String) -> String {
    let serde = match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<serde_json::Error>()),
        None => error.downcast_ref::<serde_json::Error>(),
    };
    match serde {
        Some(serde) if serde.classify() == Category::Data => {
            let message = serde.to_string();
            let known = VALUES.iter().chain(&NAMES).chain(&HARMLESS).any(|words| message.starts_with(words));
            if known {
                return text;
            }
            let place = format!("the data has another shape at line {} column {}", serde.line(), serde.column());
            text.replace(&message, &place)
        }
        _ => text,
    }
}

/// Replaces each value and each name that serde quotes in a text by `…`.
pub(crate) fn quotations(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quoted) = next(rest) {
        redacted.push_str(&rest[..quoted.start]);
        if !quoted.is_empty() {
            redacted.push('…');
        }
        rest = &rest[quoted.end..];
    }
    redacted + rest
}

/// The first quotation in a text. It is empty where serde names only the kind of a value.
fn next(text: &str) -> Option<Range<usize>> {
    let first = |words: &[&str]| words.iter().filter_map(|words| Some(text.find(words)? + words.len())).min();
    match (first(&VALUES), first(&NAMES)) {
        (Some(at), name) if name.is_none_or(|name| at < name) => Some(value(text, at)),
        (_, Some(at)) => {
            let end = ENDS_OF_NAMES.iter().filter_map(|end| text[at..].find(end)).min();
            Some(at..end.map_or(text.len(), |end| at + end))
        }
        _ => None,
    }
}

/// The value at this place.
fn value(text: &str, at: usize) -> Range<usize> {
    for (words, quote) in KINDS {
        let Some(quoted) = text[at..].strip_prefix(words) else { continue };
        // In the `Debug` text of an error, backslashes are before the quotation mark.
        let unescaped = quoted.trim_start_matches('\\');
        let escapes = quoted.len() - unescaped.len();
        let Some(value) = unescaped.strip_prefix(quote) else { continue };
        let start = text.len() - value.len();
        return start..end_of_value(value, quote, escapes).map_or(text.len(), |end| start + end);
    }
    let end = text[at..].find(", expected ").map_or(text.len(), |end| at + end);
    // serde names the kinds of other values, such as `map`. An adapter may write words of its own.
    let is_kind = text[at..end].chars().all(|char| char.is_ascii_lowercase() || char == ' ');
    if is_kind { end..end } else { at..end }
}

/// The end of a value before its closing quotation mark. That one is escaped like the opening one; those in the value are
/// escaped once more, and so are the backslashes.
fn end_of_value(value: &str, quote: char, escapes: usize) -> Option<usize> {
    value.match_indices(quote).find_map(|(at, _)| {
        let backslashes = at - value[..at].trim_end_matches('\\').len();
        (backslashes % (2 * (escapes + 1)) == escapes).then_some(at - escapes)
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only decoded")]
    struct Order {
        cents: u64,
        kind: Kind,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Sale,
    }

    fn error(json: &str) -> serde_json::Error {
        serde_json::from_str::<Order>(json).unwrap_err()
    }

    #[test]
    fn what_serde_quotes_is_left_out() {
        let secrets =
            ["SECRET", "SEC\"RET", "SECRET\\", "`, SECRET", "\", expected SECRET", "\\\"SECRET", "é\u{1b}SECRET"];
        for secret in secrets {
            let quoted = serde_json::to_string(secret).unwrap();
            for json in [
                format!("{{\"cents\":{quoted}}}"),
                format!("{{{quoted}:1}}"),
                format!("{{\"cents\":1,\"kind\":{quoted}}}"),
            ] {
                let error = error(&json);
                for text in [
                    error.to_string(),
                    format!("order 7: {error}; next"),
                    format!("{error:?}"),
                    format!("{:?}", format!("{error:?}")),
                    format!("called `Result::unwrap()` on an `Err` value: {error:?}"),
                ] {
                    let redacted = quotations(&text);
                    assert!(!redacted.contains("SEC") && redacted.contains('…'), "{text}\n{redacted}");
                    assert!(redacted.contains("expected"), "{text}\n{redacted}");
                }
            }
        }
        assert_eq!(
            quotations(&error("{\"cents\":\"4111\"}").to_string()),
            "invalid type: string \"…\", expected u64 at line 1 column 15"
        );
        assert_eq!(
            quotations(&error("{\"cents\":-5}").to_string()),
            "invalid value: integer `…`, expected u64 at line 1 column 11"
        );
    }

    #[test]
    fn what_serde_does_not_quote_stays() {
        for json in
            ["{\"cents\":{}}", "{\"cents\":null}", "{}", "{", "{\"cents\":1,\"cents\":1}", "[]", "{\"cents\":[1]}"]
        {
            let text = error(json).to_string();
            assert_eq!(quotations(&text), text);
            assert_eq!(whole(&error(json), text.clone()), text);
        }
    }

    #[test]
    fn the_words_of_another_program_are_left_out() {
        let error: serde_json::Error = serde::de::Error::custom("SECRET is not a colour");
        let text = whole(&error, format!("order 7: {error}"));
        assert_eq!(text, "order 7: the data has another shape at line 0 column 0");
        let wrapped = io::Error::other(<serde_json::Error as serde::de::Error>::custom("SECRET"));
        assert!(!whole(&wrapped, wrapped.to_string()).contains("SECRET"));
    }
}
