//! Durations as people write them.

use std::time::Duration;

/// Parses a duration such as `500ms`, `30s` or `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("write a time such as 500ms, 30s or 2m ({error})"))
}
