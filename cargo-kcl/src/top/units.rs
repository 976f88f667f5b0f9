//! Names and numbers of a few characters.

use crate::metrics::Stage;
use crate::report;

/// A shard's name in a column: without the zeros of those that Kinesis names.
pub(super) fn shown_name(shard: &str) -> String {
    match shard
        .strip_prefix("shardId-")
        .filter(|number| number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit()))
    {
        Some(number) => format!("shardId-{:0>4}", number.trim_start_matches('0')),
        None => report::excerpt(shard),
    }
}

pub(super) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Running => "running",
        Stage::Restarting => "restarting",
        Stage::Ended => "ended",
        Stage::Lost => "lease lost",
        Stage::Stopped => "stopped",
        Stage::Failed => "failed",
    }
}

/// A number in up to five characters.
pub(super) fn number(number: f64) -> String {
    match number.round() {
        number if number < 100_000.0 => format!("{number}"),
        number if number < 1e7 => format!("{:.0}k", number / 1e3),
        number if number < 1e10 => format!("{:.0}M", number / 1e6),
        number => format!("{:.0}G", number / 1e9),
    }
}

/// Milliseconds in up to six characters.
pub(super) fn latency(millis: f64) -> String {
    match millis {
        millis if millis < 0.000_999_5 => format!("{:.0}ns", millis * 1e6),
        millis if millis < 0.999_5 => format!("{:.0}µs", millis * 1e3),
        millis if millis < 99.95 => format!("{millis:.1}ms"),
        millis if millis < 999.5 => format!("{millis:.0}ms"),
        millis => short(millis.round() as u64),
    }
}

/// A time in up to six characters.
pub(super) fn short(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 if millis == 0 => "0".to_owned(),
        0..=9 => format!("{:.1}s", millis as f64 / 1e3),
        10..=99 => format!("{seconds}s"),
        100..=5_999 => format!("{}m{:02}", seconds / 60, seconds % 60),
        6_000..=359_999 => format!("{}h{:02}", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_kinesis_are_shortened() {
        for (name, shown) in [
            ("shardId-000000000000", "shardId-0000"),
            ("shardId-000000012345", "shardId-12345"),
            ("shardId-\u{1b}[2J00000000", "shardId-\\u{1b}[2J00000000"),
            ("shardId-00", "shardId-00"),
        ] {
            assert_eq!(shown_name(name), shown);
        }
    }

    #[test]
    fn values_fit_their_columns() {
        for (value, shown) in [(0.0, "0"), (99_999.4, "99999"), (100_000.0, "100k"), (1e9, "1000M")] {
            assert_eq!(number(value), shown);
        }
        for (millis, shown) in
            [(0.0, "0ns"), (0.000_4, "400ns"), (0.05, "50µs"), (9.96, "10.0ms"), (512.3, "512ms"), (61_000.0, "61s")]
        {
            assert_eq!(latency(millis), shown);
        }
        for (millis, shown) in
            [(900, "0.9s"), (99_000, "99s"), (100_000, "1m40"), (7_200_000, "2h00"), (864_000_000, "10d")]
        {
            assert_eq!(short(millis), shown);
        }
    }
}
