//! The position in a stream at which reading starts.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::duration;
use crate::report;

const FORM: &str = "write `latest`, `trim-horizon`, a time such as 2026-01-31T12:00:00Z or 2026-01-31T12:00:00+01:00, a date such as \
                    2026-01-31, or a time before now such as -2h";
const YEARS: &str = "write a time of the years 1970 to 9999";

/// The position at which reading starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartAt {
    /// At the oldest record.
    TrimHorizon,
    /// After the records that exist when reading begins.
    Latest,
    /// At the first record that arrived at this time or later.
    Time(Moment),
}

/// A time in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(SystemTime),
    /// This long before reading begins.
    Before(Duration),
}

impl Moment {
    /// The time that is meant if reading begins at `began`.
    pub(crate) fn time(self, began: SystemTime) -> SystemTime {
        match self {
            Self::At(time) => time,
            Self::Before(ago) => began.checked_sub(ago).unwrap_or(UNIX_EPOCH),
        }
    }

    /// Whether it is given in fractions of a second.
    pub(crate) fn has_fraction(self) -> bool {
        let since = match self {
            Self::At(time) => time.duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::Before(ago) => ago,
        };
        since.subsec_nanos() > 0
    }
}

impl fmt::Display for StartAt {
    /// Writes a form that can be parsed again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrimHorizon => f.write_str("trim-horizon"),
            Self::Latest => f.write_str("latest"),
            Self::Time(Moment::At(time)) => humantime::format_rfc3339(*time).fmt(f),
            Self::Time(Moment::Before(ago)) => write!(f, "-{}", report::duration(*ago).replace(' ', "")),
        }
    }
}

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, SystemTime::now())
    }
}

/// Whether the text names the oldest record, in the spelling of the options or of the KCL.
pub(crate) fn is_trim_horizon(text: &str) -> bool {
    text.replace('_', "-").eq_ignore_ascii_case("trim-horizon")
}

fn parse(text: &str, now: SystemTime) -> Result<StartAt, String> {
    let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if text.eq_ignore_ascii_case("latest") {
        Ok(StartAt::Latest)
    } else if is_trim_horizon(text) {
        Ok(StartAt::TrimHorizon)
    } else if let Some(ago) = text.strip_prefix('-').filter(|ago| starts_with_digit(ago)) {
        let has_unit = ago.contains(|c: char| !(c.is_ascii_digit() || c == '.'));
        let ago = duration(ago)
            .map_err(|why| if has_unit { why.to_string() } else { format!("give a unit, as in -{ago}s") })?;
        let is_late_enough = now.checked_sub(ago).is_some_and(|time| time >= UNIX_EPOCH);
        if is_late_enough { Ok(StartAt::Time(Moment::Before(ago))) } else { Err(YEARS.to_owned()) }
    } else if text.get(..5).is_some_and(|year| year.ends_with('-') && starts_with_digit(year)) {
        match time(text)? {
            time if time > now => {
                Err(format!("this time is in the future: it is {} now", humantime::format_rfc3339_seconds(now)))
            }
            time => Ok(StartAt::Time(Moment::At(time))),
        }
    } else if let Some(time) = since_1970(text.strip_prefix('@').unwrap_or(text)) {
        Err(format!("numbers of seconds are not accepted; write {}", humantime::format_rfc3339(time)))
    } else if starts_with_digit(text) && duration(text).is_ok() {
        Err(format!("write -{text} for a time before now"))
    } else {
        Err(FORM.to_owned())
    }
}

/// The time that a number of seconds or milliseconds since 1970 means, if it is one of recent decades.
fn since_1970(digits: &str) -> Option<SystemTime> {
    let number = digits.parse::<u64>().ok()?;
    match digits.len() {
        9..=11 => Some(UNIX_EPOCH + Duration::from_secs(number)),
        12..=14 => Some(UNIX_EPOCH + Duration::from_millis(number)),
        _ => None,
    }
}

/// Parses an RFC 3339 time, or a date, which stands for its start in UTC.
fn time(text: &str) -> Result<SystemTime, String> {
    let (date, rest) = text.split_at_checked(10).ok_or(FORM)?;
    let midnight = UNIX_EPOCH + Duration::from_secs(86_400 * days_since_1970(date)?);
    if rest.is_empty() {
        return Ok(midnight);
    }
    let rest = rest.strip_prefix(['T', 't', ' ']).ok_or(FORM)?;
    let (time, rest) = rest.split_at_checked(8).ok_or(FORM)?;
    let (nanos, offset) = match rest.strip_prefix('.') {
        Some(rest) => {
            let (digits, offset) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
            // Digits after the nanoseconds are dropped.
            let nanos: String = digits.chars().chain("000000000".chars()).take(9).collect();
            (number(&nanos).filter(|_| !digits.is_empty()).ok_or(FORM)?, offset)
        }
        None => (0, rest),
    };
    let time = midnight + Duration::from_secs(seconds_of_day(time)?) + Duration::from_nanos(nanos);
    let time = match (offset.get(..1), offset) {
        (_, "Z" | "z") => Some(time),
        (_, "") => return Err("add the offset from UTC: `Z` for UTC itself, or one such as `+01:00`".to_owned()),
        (Some("+"), _) => time.checked_sub(offset_from_utc(offset)?),
        (Some("-"), _) => time.checked_add(offset_from_utc(offset)?),
        _ => return Err(no_offset(offset)),
    };
    time.filter(|time| *time >= UNIX_EPOCH).ok_or(YEARS.to_owned())
}

/// The days from the start of 1970 to a date such as `2026-01-31`.
fn days_since_1970(date: &str) -> Result<u64, String> {
    let [year, month, day] = fields(date, '-').ok_or(FORM)?;
    if !(1970..=9999).contains(&year) {
        return Err(YEARS.to_owned());
    }
    let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let leap_days_before = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let months = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month).ok().and_then(|month| months.get(..month.checked_sub(1)?));
    match (before, before.and_then(|before| months.get(before.len()))) {
        (Some(before), Some(days)) if (1..=*days).contains(&day) => {
            let leap_days = leap_days_before(year) - leap_days_before(1970);
            Ok(365 * (year - 1970) + leap_days + before.iter().sum::<u64>() + day - 1)
        }
        _ => Err(format!("`{date}` is not a date in the calendar")),
    }
}

/// The seconds from midnight to a time of day such as `12:00:00`.
fn seconds_of_day(time: &str) -> Result<u64, String> {
    match fields(time, ':').ok_or(FORM)? {
        [hours @ 0..24, minutes @ 0..60, seconds @ 0..60] => Ok(3_600 * hours + 60 * minutes + seconds),
        [_, _, 60] => Err("seconds go from 00 to 59, and a leap second counts as the second after it".to_owned()),
        _ => Err(format!("`{time}` is not a time of day")),
    }
}

/// The length of an offset such as `+01:00`.
fn offset_from_utc(offset: &str) -> Result<Duration, String> {
    // With seconds, it has the form of a time of day.
    let time = offset.get(1..).filter(|time| time.len() == 5).map(|time| format!("{time}:00"));
    let seconds = time.and_then(|time| seconds_of_day(&time).ok());
    seconds.map(Duration::from_secs).ok_or_else(|| no_offset(offset))
}

fn no_offset(text: &str) -> String {
    format!("`{text}` is not an offset from UTC; write `Z` for UTC itself, or one such as `+01:00`")
}

/// The three numbers of a date or a time of day; all but a year have two digits.
fn fields(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut next = || parts.next().and_then(number);
    let fields = [next()?, next()?, next()?];
    let has_form = parts.next().is_none() && text.rsplit(separator).take(2).all(|part| part.len() == 2);
    has_form.then_some(fields)
}

fn number(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Result<u64, String> {
        time(text).map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Parses on 2026-01-31, at noon in UTC.
    fn start(text: &str) -> Result<StartAt, String> {
        parse(text, at(1_769_860_800))
    }

    #[test]
    fn the_ends_of_a_stream_have_names() {
        for text in ["latest", "LATEST", "Latest"] {
            assert_eq!(start(text), Ok(StartAt::Latest));
        }
        for text in ["trim-horizon", "TRIM_HORIZON", "trim_horizon", "Trim-Horizon"] {
            assert_eq!(start(text), Ok(StartAt::TrimHorizon));
        }
    }

    #[test]
    fn a_time_has_an_offset() {
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31t12:00:00z",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00:00+00:00",
            "2026-01-31T12:00:00-00:00",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31T06:30:00-05:30",
            "2026-02-01T02:00:00+14:00",
            "2026-01-30T23:30:00-12:30",
        ] {
            assert_eq!(seconds(text), Ok(1_769_860_800), "{text}");
            assert_eq!(start(text), Ok(StartAt::Time(Moment::At(at(1_769_860_800)))), "{text}");
        }
        for text in ["2026-01-31T12:00:00", "2026-01-31T12:00:00.5"] {
            assert!(start(text).unwrap_err().starts_with("add the offset from UTC"), "{text}");
        }
        for offset in ["+1", "+01", "+0100", "+24:00", "+01:60", "+01:00:00", "UTC", " Z", "+0é:00"] {
            let error = start(&format!("2026-01-31T12:00:00{offset}")).unwrap_err();
            assert!(error.contains("is not an offset from UTC"), "{offset}: {error}");
        }
    }

    #[test]
    fn a_date_is_its_start_in_utc() {
        assert_eq!(seconds("1970-01-01"), Ok(0));
        assert_eq!(seconds("2026-01-31"), seconds("2026-01-31T00:00:00Z"));
        assert!(start("2026-01-31").is_ok());
    }

    #[test]
    fn every_day_of_the_calendar_is_known() {
        let mut day = 0;
        // Each day until 2107, then each 97th.
        while let Some(time) = UNIX_EPOCH.checked_add(Duration::from_secs(86_400 * day)) {
            let text = humantime::format_rfc3339_seconds(time).to_string();
            assert_eq!(seconds(&text), Ok(86_400 * day), "{text}");
            assert_eq!(seconds(&text[..10]), Ok(86_400 * day), "{text}");
            if text.starts_with("9999-12") {
                break;
            }
            day += if day < 50_000 { 1 } else { 97.min(2_932_896 - day) };
        }
        for date in [
            "2026-02-29",
            "2100-02-29",
            "2024-02-30",
            "2026-04-31",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-01-32",
        ] {
            assert_eq!(seconds(date), Err(format!("`{date}` is not a date in the calendar")));
        }
        assert!(seconds("2024-02-29").is_ok() && seconds("2000-02-29").is_ok());
    }

    #[test]
    fn a_time_of_day_is_checked() {
        for time in ["24:00:00", "12:60:00", "99:99:99"] {
            let error = seconds(&format!("2026-01-31T{time}Z")).unwrap_err();
            assert_eq!(error, format!("`{time}` is not a time of day"));
        }
        assert!(seconds("2016-12-31T23:59:60Z").unwrap_err().contains("leap second"));
        for text in
            ["2026-1-31", "2026-01-31T12:00Z", "2026-01-31T1:00:00Z", "2026-01-31X12:00:00Z", "2026-01-31T12:00:00.Z"]
        {
            assert_eq!(start(text).unwrap_err(), FORM, "{text}");
        }
    }

    #[test]
    fn other_years_are_refused() {
        for text in ["1969-12-31", "1969-12-31T23:59:59Z", "0000-01-01", "1970-01-01T00:30:00+01:00", "-999999h"] {
            assert_eq!(start(text).unwrap_err(), YEARS, "{text}");
        }
        assert_eq!(seconds("1969-12-31T23:59:59-00:01").unwrap_err(), YEARS);
        assert!(seconds("9999-12-31T23:59:59-23:59").is_ok());
        assert_eq!(start("10000-01-01").unwrap_err(), FORM);
    }

    #[test]
    fn fractions_are_kept() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00.5Z", 500_000_000),
            ("1970-01-01T00:00:00.001+00:00", 1_000_000),
            ("1970-01-01T00:00:00.1234567899Z", 123_456_789),
        ] {
            let moment = Moment::At(UNIX_EPOCH + Duration::from_nanos(nanos));
            assert_eq!(start(text), Ok(StartAt::Time(moment)), "{text}");
            assert!(moment.has_fraction());
        }
        assert!(!Moment::At(at(7)).has_fraction() && !Moment::Before(Duration::from_secs(7)).has_fraction());
        assert!(Moment::Before(Duration::from_millis(7_500)).has_fraction());
    }

    #[test]
    fn a_time_can_be_relative_to_the_start() {
        for (text, seconds) in [("-2h", 7_200), ("-90s", 90), ("-1d12h", 129_600), ("-1 d 12 h", 129_600), ("-0s", 0)] {
            let moment = Moment::Before(Duration::from_secs(seconds));
            assert_eq!(start(text), Ok(StartAt::Time(moment)), "{text}");
            assert_eq!(moment.time(at(1_000_000)), at(1_000_000 - seconds));
        }
        assert_eq!(start("-2").unwrap_err(), "give a unit, as in -2s");
        assert_eq!(start("2h").unwrap_err(), "write -2h for a time before now");
    }

    #[test]
    fn a_time_in_the_future_is_refused() {
        for text in ["2026-01-31T12:00:01Z", "2026-01-31T12:30:00-00:30", "2026-02-01", "2999-01-01T00:00:00Z"] {
            let error = start(text).unwrap_err();
            assert_eq!(error, "this time is in the future: it is 2026-01-31T12:00:00Z now", "{text}");
        }
    }

    #[test]
    fn a_number_of_seconds_is_converted_in_the_message() {
        for text in ["1769860800", "@1769860800", "1769860800000"] {
            assert_eq!(start(text).unwrap_err(), "numbers of seconds are not accepted; write 2026-01-31T12:00:00Z");
        }
        for text in ["", "20260131", "yesterday", "--json", "-", "@", "99999999999999999999", "é", "2026é01-31", "-é"]
        {
            assert_eq!(start(text).unwrap_err(), FORM, "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_parsed_again() {
        for text in [
            "latest",
            "trim-horizon",
            "2026-01-31T12:00:00Z",
            "2026-01-31T11:59:59.500000000Z",
            "-2h",
            "-1d12h",
            "-1min1.5s",
        ] {
            assert_eq!(start(text).unwrap().to_string(), text);
        }
        assert_eq!(start("2026-01-31").unwrap().to_string(), "2026-01-31T00:00:00Z");
        assert_eq!(start("-129600s").unwrap().to_string(), "-1d12h");
    }
}
