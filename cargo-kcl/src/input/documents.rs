//! Documents of JSON that hold several records each, and where they start and end.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The most bytes of a document.
pub(crate) const LONGEST_DOCUMENT: usize = 64 << 20;

/// The reason why text is not a document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error(
        "not a document of --format aws, which is an object with `Records`, as `aws kinesis get-records` prints it, or its records alone"
    )]
    NotADocument,
    #[error("the document that starts here does not end")]
    Unfinished,
    #[error("the document that starts here is longer than {} MiB", LONGEST_DOCUMENT >> 20)]
    TooLong,
    #[error("the document that starts here is not valid: {0}")]
    Json(serde_json::Error),
    #[error(
        "the document that starts here is not a record of AWS, and has no `Records`; --format lines and json read JSON of other kinds, a record per line"
    )]
    NoRecords,
}

/// Searches for the end of a document, in text that may grow between two calls.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// The number of bytes that were searched.
    searched: usize,
    /// The number of open braces and brackets.
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scanner {
    /// The length of the text up to the end of its first document, if that is there. The text starts with the bytes of earlier calls.
    ///
    /// # Errors
    ///
    /// If the text does not start with a document.
    pub(super) fn find_end(&mut self, text: &[u8]) -> Result<Option<usize>, DocumentError> {
        while let Some(&byte) = text.get(self.searched) {
            self.searched += 1;
            if self.in_string {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = byte == b'\\' && !self.escaped;
                continue;
            }
            match byte {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(self.searched));
                    }
                }
                b'"' if self.depth > 0 => self.in_string = true,
                _ if self.depth > 0 || byte.is_ascii_whitespace() => {}
                _ => return Err(DocumentError::NotADocument),
            }
        }
        Ok(None)
    }
}

/// An object with records, or a record itself.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<&'a RawValue>>,
    #[serde(rename = "Data")]
    data: Option<IgnoredAny>,
    kinesis: Option<IgnoredAny>,
}

/// The records of a document: where each one starts and ends in it.
pub(super) fn records(document: &[u8]) -> Result<impl Iterator<Item = (usize, usize)>, DocumentError> {
    let records = if document.starts_with(b"[") {
        serde_json::from_slice(document).map_err(DocumentError::Json)?
    } else {
        let read: Document<'_> = serde_json::from_slice(document).map_err(DocumentError::Json)?;
        match read.records {
            Some(records) => records,
            None if read.data.is_some() || read.kinesis.is_some() => {
                vec![serde_json::from_slice(document).map_err(DocumentError::Json)?]
            }
            None => return Err(DocumentError::NoRecords),
        }
    };
    let start = document.as_ptr().addr();
    Ok(records.into_iter().map(move |record: &RawValue| {
        let at = record.get().as_ptr().addr() - start;
        (at, at + record.get().len())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of the documents in a text that arrives in pieces of this size, and what is left after them.
    fn documents(text: &str, piece: usize) -> Result<(Vec<&str>, &str), DocumentError> {
        let mut found = Vec::new();
        let mut rest = text;
        let mut scanner = Scanner::default();
        let mut arrived = 0;
        while arrived < rest.len() {
            arrived = rest.len().min(arrived + piece);
            while let Some(end) = scanner.find_end(&rest.as_bytes()[..arrived])? {
                found.push(rest[..end].trim_start());
                rest = &rest[end..];
                arrived -= end;
                scanner = Scanner::default();
            }
        }
        Ok((found, rest))
    }

    #[test]
    fn documents_end_at_their_last_brace() {
        let text = " \r\n{\"a\":\"}\\\"{\\\\\"}{\"b\":[{},[\"]\"]]}\n\n{\n  \"c\": {}\n}\n ";
        for piece in [1, 2, 7, 100] {
            let (found, rest) = documents(text, piece).unwrap();
            assert_eq!(found, [r#"{"a":"}\"{\\"}"#, r#"{"b":[{},["]"]]}"#, "{\n  \"c\": {}\n}"]);
            assert_eq!(rest, "\n ");
        }
        assert_eq!(documents("{\"a\":1", 3).unwrap(), (vec![], "{\"a\":1"));
        assert_eq!(documents("[{\"a\":[]}]\n[]", 1).unwrap(), (vec!["[{\"a\":[]}]", "[]"], ""));
        for text in ["x", "{} x", "{}}", "[]]", "7", "\"{}\""] {
            assert!(matches!(documents(text, 1), Err(DocumentError::NotADocument)), "{text}");
        }
    }

    #[test]
    fn records_are_found_in_their_document() {
        let text = "{\"Next\": [1],\n \"Records\": [ {\"a\": 1},\n{\"b\":{}} , 7 ]}";
        let found: Vec<_> = records(text.as_bytes()).unwrap().map(|(start, end)| &text[start..end]).collect();
        assert_eq!(found, ["{\"a\": 1}", "{\"b\":{}}", "7"]);
        assert_eq!(records(b"{\"Records\":[]}").unwrap().count(), 0);
        for (text, expected) in [
            ("[{\"Data\": \"\"}, {}]", &["{\"Data\": \"\"}", "{}"][..]),
            ("{\"Data\": \"\"}", &["{\"Data\": \"\"}"]),
            ("{\"kinesis\":\n{}}", &["{\"kinesis\":\n{}}"]),
        ] {
            let found: Vec<_> = records(text.as_bytes()).unwrap().map(|(start, end)| &text[start..end]).collect();
            assert_eq!(found, expected);
        }
        for text in ["{}", "{\"Records\":null}", "{\"records\":[]}"] {
            assert!(matches!(records(text.as_bytes()).err(), Some(DocumentError::NoRecords)), "{text}");
        }
        for text in ["{\"Records\":[}]}", "{\"Records\":1}", "{\"Records\":[]]", "[{]}"] {
            assert!(matches!(records(text.as_bytes()).err(), Some(DocumentError::Json(_))), "{text}");
        }
    }
}
