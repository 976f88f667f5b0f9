//! Text in a page: escaped, bounded, and formatted for people.

use std::fmt;

use crate::report;

/// The most characters of a text from outside that the page shows.
const LONGEST: usize = 600;

/// A text from outside as the text of an element or the value of an attribute in quotation marks. Characters that control the
/// direction of text are visible escapes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = report::escaped(self.0);
        for char in text.chars().take(LONGEST) {
            match char {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                char => write!(f, "{char}"),
            }?;
        }
        f.write_str(if text.chars().nth(LONGEST).is_some() { "…" } else { "" })
    }
}

/// A number with spaces between groups of three digits, which do not break a line.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number, grouped, with its noun.
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{} {}", grouped(number), report::noun(number, what))
}

/// A time in a unit that fits it, with three digits at most.
pub(super) fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        none if none <= 0.0 => return "0 s".to_owned(),
        short if short < 1e-3 => (short * 1e6, "µs"),
        short if short < 1.0 => (short * 1e3, "ms"),
        short if short < 120.0 => (short, "s"),
        long if long < 7_200.0 => (long / 60.0, "min"),
        long if long < 172_800.0 => (long / 3_600.0, "h"),
        long => (long / 86_400.0, "d"),
    };
    let decimals = usize::from(value < 9.95 && (value - value.round()).abs() > 0.05);
    format!("{value:.decimals$}\u{a0}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let text = "</script><img src=x onerror='a'>&\"\u{202e}\n";
        let shown = Text(text).to_string();
        assert_eq!(shown, "&lt;/script&gt;&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot;\\u{202e}\\n");
        assert_eq!(Text(&"ü".repeat(LONGEST + 1)).to_string(), "ü".repeat(LONGEST) + "…");
        assert_eq!(Text(&"ü".repeat(LONGEST)).to_string(), "ü".repeat(LONGEST));
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
        let times = [0.0, 0.000_025, 0.004_2, 0.42, 1.0, 59.6, 600.0, 86_400.0, 1e6];
        let shown = times.map(|seconds| time(seconds).replace('\u{a0}', " "));
        assert_eq!(shown, ["0 s", "25 µs", "4.2 ms", "420 ms", "1 s", "60 s", "10 min", "24 h", "12 d"]);
    }
}
