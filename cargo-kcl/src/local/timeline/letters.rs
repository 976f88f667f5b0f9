//! The errors of records that were passed over, by class.

use std::collections::BTreeMap;

use kcl::FailureAction;

use crate::report;

/// The most classes of a shard. Errors of further classes are counted together.
const MOST: usize = 40;
/// The most characters of a class that are kept.
const LONGEST: usize = 160;
/// The class in which errors of further classes are counted.
const OTHERS: &str = "errors of other kinds";

/// The number of records that were passed over because of one class of errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) skipped: u64,
    pub(crate) dead_lettered: u64,
}

/// The records that were passed over, by class of error.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letters(pub(crate) BTreeMap<String, Count>);

impl Letters {
    /// Counts the record that this line reports. Returns the number of further attempts with it.
    pub(crate) fn add(&mut self, action: FailureAction, line: &[u8]) -> u64 {
        let line = String::from_utf8_lossy(line);
        let (class, attempts) = parts(&line);
        self.count(class, |count| match action {
            FailureAction::DeadLetter => count.dead_lettered += 1,
            _ => count.skipped += 1,
        });
        attempts.saturating_sub(1)
    }

    /// Adds the counts of another shard.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for (class, more) in &other.0 {
            self.count(class.clone(), |count| {
                count.skipped += more.skipped;
                count.dead_lettered += more.dead_lettered;
            });
        }
    }

    fn count(&mut self, class: String, add: impl FnOnce(&mut Count)) {
        let class = if self.0.contains_key(&class) || self.0.len() < MOST { class } else { OTHERS.to_owned() };
        add(self.0.entry(class).or_default());
    }
}

/// The class of the error that a line reports, and the number of attempts.
fn parts(line: &str) -> (String, u64) {
    let error = line.split_once(" a record: ").map_or(line, |(_, error)| error);
    let is_place = |rest: &str| rest.starts_with(|char: char| char.is_ascii_digit());
    // The place of the record, and its partition key, follow the error.
    let place = error.match_indices("; record ").find(|(at, text)| is_place(&error[at + text.len()..]));
    let (error, place) = place.map_or((error, ""), |(at, _)| error.split_at(at));
    let attempts = place.rsplit_once(", after ").and_then(|(_, text)| text.split(' ').next()?.parse().ok());
    (class(error), attempts.unwrap_or(1))
}

/// The error without quoted parts and numbers, which differ from record to record and may be payloads.
fn class(error: &str) -> String {
    report::escaped(&without_numbers(&without_quotations(error.trim()))).chars().take(LONGEST).collect()
}

/// The text with each number reduced to `N`.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    for part in text.as_bytes().chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit()) {
        match part {
            [b'0'..=b'9', ..] => short.push('N'),
            // A digit is never inside of another character.
            part => short.push_str(&String::from_utf8_lossy(part)),
        }
    }
    short
}

/// The text with each quoted part reduced to `…`.
pub(crate) fn without_quotations(text: &str) -> String {
    let mut short = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '"' | '`' | '\'' if char != '\'' || !ends_with_word(&short) => {
                // An escaped quotation mark does not end the quotation. A quotation without an end was cut.
                let mut is_escaped = false;
                let end = rest.find(|inner| {
                    let ends = inner == char && !is_escaped;
                    is_escaped = inner == '\\' && !is_escaped;
                    ends
                });
                rest = end.map_or("", |end| &rest[end + 1..]);
                short.push('…');
            }
            char => short.push(char),
        }
    }
    short
}

/// Whether a text ends with a word, after which an apostrophe is part of the text. A single letter is not a word but the kind of a string,
/// as in `b'…'`.
fn ends_with_word(text: &str) -> bool {
    text.chars().rev().take(2).filter(|char| char.is_alphanumeric()).count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_one_class_are_counted_together() {
        let mut letters = Letters::default();
        for (nth, key) in [(1, "k"), (22, "; record 7/0, after 9 attempts")] {
            let line = format!(
                "kcl: shard s: dead-lettered a record: no customer \"a \\\" b{nth}\" at line {nth}; record 49{nth}/0 with partition key `{key}`, \
                 after 3 attempts"
            );
            assert_eq!(letters.add(FailureAction::DeadLetter, line.as_bytes()), 2, "{line}");
        }
        letters.add(FailureAction::Skip, b"kcl: shard s: skipped a record: <script>; record 1/0");
        let expected = [
            ("<script>".to_owned(), Count { skipped: 1, dead_lettered: 0 }),
            ("no customer … at line N".to_owned(), Count { skipped: 0, dead_lettered: 2 }),
        ];
        assert_eq!(letters.0.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn quoted_parts_are_left_out() {
        for (error, shown) in [
            ("no `a`, \"b\" or 'c'", "no …, … or …"),
            ("can't find 'Ann O\\'Neil'", "can't find …"),
            ("it ends in 'the middle", "it ends in …"),
            ("b'secret' isn't u'secret'", "b… isn't u…"),
        ] {
            assert_eq!(class(error), shown);
        }
    }

    #[test]
    fn the_number_of_classes_is_bounded() {
        let mut letters = Letters::default();
        for nth in 0..1_000_u32 {
            let name = "x".repeat(nth as usize);
            letters.add(FailureAction::Skip, format!("kcl: shard s: skipped a record: {name}; record 1/0").as_bytes());
        }
        assert_eq!(letters.0.len(), MOST + 1);
        assert_eq!(letters.0.values().map(|count| count.skipped).sum::<u64>(), 1_000);
    }
}
