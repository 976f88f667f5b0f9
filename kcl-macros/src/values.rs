//! The values of options that are written in quotes.

use crate::model::When;

/// Why a text is not a valid range of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackoffProblem {
    /// It is not a range, or one of its ends is not a duration.
    NotARange,
    /// It starts at 0, and twice 0 is still 0.
    Zero,
    /// It ends before it starts.
    Backwards,
}

/// Parses `200ms..5s`: the first and the longest wait, in milliseconds.
pub(crate) fn backoff(text: &str) -> Result<(u64, u64), BackoffProblem> {
    let (first, most) = text.split_once("..").ok_or(BackoffProblem::NotARange)?;
    match (millis(first), millis(most)) {
        (Some(0), Some(_)) => Err(BackoffProblem::Zero),
        (Some(first), Some(most)) if first > most => Err(BackoffProblem::Backwards),
        (Some(first), Some(most)) => Ok((first, most)),
        _ => Err(BackoffProblem::NotARange),
    }
}

/// Why a text is not a valid time to checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointProblem {
    /// It is not `batch`, a duration, or a number of records.
    Unknown,
    /// It is a duration or a number of 0.
    Zero,
}

/// Parses `batch`, `30s` or `1000 records`.
pub(crate) fn checkpoint(text: &str) -> Result<When, CheckpointProblem> {
    let text = text.trim();
    if text == "batch" {
        return Ok(When::Batch);
    }
    let records = text.strip_suffix("records").or_else(|| text.strip_suffix("record"));
    let (number, when): (_, fn(u64) -> When) = match records {
        Some(number) => (number.trim_end().parse().ok(), When::Records),
        None => (millis(text), When::Interval),
    };
    match number {
        Some(0) => Err(CheckpointProblem::Zero),
        Some(number) => Ok(when(number)),
        None => Err(CheckpointProblem::Unknown),
    }
}

/// Parses a duration, a whole number followed by `ms`, `s`, `m` or `h`, into milliseconds.
pub(crate) fn millis(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|char: char| !char.is_ascii_digit())?);
    let unit = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, duration) in [("200ms", 200), ("5s", 5000), (" 2 m ", 120_000), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(millis(text), Some(duration), "{text}");
        }
        for text in ["", "5", "s", "5 parsecs", "-5s", "1.5s", "5s5", "99999999999999999999s", "9999999999999999999s"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn checkpoints_are_by_batch_duration_or_number() {
        for (text, when) in [
            ("batch", When::Batch),
            ("30s", When::Interval(30_000)),
            (" 5 m ", When::Interval(300_000)),
            ("1000 records", When::Records(1000)),
            ("1 record", When::Records(1)),
            ("7records", When::Records(7)),
        ] {
            assert_eq!(checkpoint(text), Ok(when), "{text}");
        }
        for text in
            ["", "30", "batches", "1000", "records", "-1 records", "1_000 records", "30 parsecs", "1000 Records"]
        {
            assert_eq!(checkpoint(text), Err(CheckpointProblem::Unknown), "{text}");
        }
        for text in ["0s", "0ms", "0 records"] {
            assert_eq!(checkpoint(text), Err(CheckpointProblem::Zero), "{text}");
        }
    }

    #[test]
    fn a_backoff_ascends() {
        assert_eq!(backoff("200ms..5s"), Ok((200, 5000)));
        assert_eq!(backoff("1s .. 1s"), Ok((1000, 1000)));
        for (text, error) in [
            ("200ms", BackoffProblem::NotARange),
            ("200..5s", BackoffProblem::NotARange),
            ("..5s", BackoffProblem::NotARange),
            ("0ms..5s", BackoffProblem::Zero),
            ("5s..200ms", BackoffProblem::Backwards),
        ] {
            assert_eq!(backoff(text), Err(error), "{text}");
        }
    }
}
